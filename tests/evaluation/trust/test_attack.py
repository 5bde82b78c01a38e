"""Attacks along the gradient keep to their bound, and do what noise of the same size does not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluation.trust.attack import Attacked, attack, pgd, smoothed
from evaluation.trust.bench import Bench, Subject
from evaluation.trust.manifest import Manifest, Row
from overread.cards import find_cards
from overread.records import Context
from tools.contract import ToolImage
from tools.findings import Findings
from tools.registry import ToolRegistry

CHILD = "chest-findings-child"


@pytest.fixture(scope="module")
def drawn() -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    draw = np.random.default_rng(0)
    small = draw.integers(40, 200, (6, 9, 9), np.uint8)
    squares = np.kron(small, np.ones((1, 16, 16), np.uint8))
    return np.repeat(squares[..., None], 3, axis=3)


@pytest.fixture
def given_(bench: Bench, drawn: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]") -> Attacked:
    cards = find_cards(bench.settings)
    every = replace(bench, cards=cards, manifest=Manifest((), (), "0"))
    subject = Subject(ToolRegistry({CHILD: cards[CHILD]}).get(CHILD), every)
    assert isinstance(subject.tool, Findings)
    child = Context(age_band="child", view="AP")
    rows = tuple(
        Row(k, Path("x"), "xray/chest", None, None, None, "", (), f"p{k}", frozenset(), child)
        for k in range(len(drawn))
    )
    p = subject.of([ToolImage(one, "xray/chest", child) for one in drawn])[:, 0]
    return Attacked(subject, 0, rows, drawn, p >= 0.5)


@pytest.mark.parametrize("level", [1, 8])
def test_no_pixel_is_changed_by_more(given_: Attacked, level: int) -> None:
    made = pgd(given_, level, np.random.default_rng(0))
    change = made.astype(int) - given_.clean
    assert made.dtype == np.uint8
    assert 0 < np.abs(change).max() <= level
    # A grey model is attacked in grey.
    assert (change == change[..., :1]).all()


def test_it_moves_what_is_said_away_from_the_truth_further_than_noise(given_: Attacked) -> None:
    tool = given_.subject.tool
    assert isinstance(tool, Findings)
    away = np.where(given_.truth, -1, 1)
    made = pgd(given_, 8, np.random.default_rng(0))
    draw = np.random.default_rng(1)
    noisy = np.clip(given_.clean + draw.choice([-8, 8], (*made.shape[:3], 1)), 0, 255).astype(np.uint8)
    before, after, beside = (tool.maps(list(some)).mean(axis=(2, 3))[:, 0] for some in (given_.clean, made, noisy))
    assert ((after - before) * away > np.abs(beside - before)).all()


def test_smoothing_takes_away_a_dot_and_leaves_an_even_picture(given_: Attacked) -> None:
    even = np.full((1, 20, 20, 3), 90, np.uint8)
    dotted = even.copy()
    dotted[0, 10, 10] = 250
    median, jpeg = smoothed(dotted)
    assert np.array_equal(median, even)
    assert jpeg.shape == even.shape
    assert np.array_equal(smoothed(even)[0], even)


def test_a_model_without_a_gradient_is_told(bench: Bench) -> None:
    outcome = attack(bench)
    assert outcome.figures == []
    assert any("my-skin-model" in said and "gradient" in said for said in outcome.not_done)
