"""Our own figures beside those of kept libraries, where they compute the same."""

import numpy as np
import pytest
import torch
from fairlearn.metrics import MetricFrame
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, recall_score, roc_auc_score
from torchmetrics.functional.classification import binary_auroc, binary_f1_score

from evaluation.trust.bench import Bench
from evaluation.trust.fairness import MEASURES, Said, fairness
from evaluation.trust.groups import groupings
from evaluation.trust.outlines import dice
from evaluation.trust.reliability import area, known_rows, prevalence, reliability, truth_of, weights_at

Columns = tuple[list[bool], list[float]]


@st.composite
def scored(draw: st.DrawFn) -> Columns:
    n = draw(st.integers(4, 40))
    truth = draw(st.lists(st.booleans(), min_size=n, max_size=n).filter(lambda one: any(one) and not all(one)))
    grid = st.integers(0, 20).map(lambda k: k / 20)  # ties are wanted
    return truth, draw(st.lists(grid, min_size=n, max_size=n))


@given(scored())
def test_auroc_is_that_of_scikit_learn_and_torchmetrics(given_: Columns) -> None:
    truth, p = np.array(given_[0]), np.array(given_[1])
    assert area(truth, p) == pytest.approx(roc_auc_score(truth, p))
    assert area(truth, p) == pytest.approx(float(binary_auroc(torch.tensor(p), torch.tensor(truth).int())), abs=1e-5)


@given(st.integers(0, 2**32 - 1))
def test_dice_is_the_f1_score_over_pixels(seed: int) -> None:
    draw = np.random.default_rng(seed)
    one, other = draw.random((2, 9, 11)) < draw.random()
    if one.any() or other.any():
        theirs = binary_f1_score(torch.tensor(one).int(), torch.tensor(other).int())
        assert dice(one, other) == pytest.approx(float(theirs), abs=1e-6)


def test_figures_by_group_are_those_of_fairlearn(bench: Bench) -> None:
    from dataclasses import replace

    full = replace(bench, sizes=replace(bench.sizes, images=120))
    (subject,) = full.subjects
    rows = known_rows(subject, "melanoma", 120).rows
    p, truth = subject.chances(rows)[:, 0], truth_of(rows, "melanoma")
    told = {one.name: one.value for one in fairness(full).figures}
    site, sex = ([row.groups[name] for row in rows] for name in ("site", "sex"))
    area_of = MetricFrame(metrics=roc_auc_score, y_true=truth, y_pred=p, sensitive_features=site)
    for group, value in area_of.by_group.items():
        assert told[f"AUROC, melanoma, site {group}"] == pytest.approx(value, abs=1e-4)
    assert told["worst gap, AUROC, melanoma, site"] == pytest.approx(area_of.difference(), abs=1e-4)
    threshold = float(np.nextafter(np.quantile(p[~truth], 0.9, method="higher"), 2.0))
    said = Said(p, truth, np.ones(len(p), bool), np.zeros(len(p), bool), threshold, None)
    caught = MetricFrame(metrics=recall_score, y_true=truth, y_pred=p >= threshold, sensitive_features=sex)
    (measure,) = [one for one in MEASURES if one.name.startswith("sensitivity")]
    for group, at in groupings(full, rows)["sex"].items():
        assert measure.of(said, at) == pytest.approx(caught.by_group[group])


def test_the_brier_score_is_that_of_scikit_learn(bench: Bench) -> None:
    (subject,) = bench.subjects
    rows = known_rows(subject, "melanoma", bench.sizes.images).rows
    p, truth = subject.chances(rows)[:, 0], truth_of(rows, "melanoma")
    weight = weights_at(prevalence(subject, "melanoma"), truth)
    (ours,) = [one.value for one in reliability(bench).figures if one.name == "Brier score, melanoma"]
    assert ours == pytest.approx(brier_score_loss(truth, p, sample_weight=weight), abs=1e-4)
