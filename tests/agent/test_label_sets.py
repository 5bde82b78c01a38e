"""Conformal sets on the way of an answer: what a card's sets leave of a finding, and how the composer says it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.engines.composer import compose
from agent.evidence import Evidence, ledger_of
from agent.label_sets import judged, sets_of
from agent.state import SeenFinding, SeenImage
from guardrails.gate import Gate
from guardrails.phi.identity import Identity
from overread.cards import STARTER, ModelCard, read_card
from overread.errors import CardError
from overread.records import Context, Decision, Finding

CARD = read_card(STARTER / "brain-mr-findings" / "card.yaml").card
LABELS = tuple(label.name for label in CARD.labels)
DOMAIN = "mr/brain"


def findings_of(chances: list[float], card: ModelCard = CARD) -> list[Finding]:
    from tools.calibration import decide

    return [
        Finding(id=f"F{n}", label=label.name, probability=chance, interval=None, decision=decide(label, chance))
        for n, (label, chance) in enumerate(zip(card.labels, chances, strict=True), start=1)
    ]


def decisions(chances: list[float]) -> list[Decision]:
    return [finding.decision for finding in judged(CARD, DOMAIN, findings_of(chances)).findings]


def test_one_label_that_fits_changes_nothing() -> None:
    told = judged(CARD, DOMAIN, findings_of([0.97, 0.01, 0.01, 0.01]))
    assert [finding.decision for finding in told.findings] == ["present", "absent", "absent", "absent"]
    assert told.hedged == ()
    assert told.reason is None


def test_two_labels_that_fit_are_hedged() -> None:
    told = judged(CARD, DOMAIN, findings_of([0.45, 0.5, 0.03, 0.02]))
    assert told.hedged == ("meningioma", "glioma")
    assert [finding.decision for finding in told.findings] == ["indeterminate", "indeterminate", "absent", "absent"]


def test_a_label_below_its_limit_that_fits_is_not_absent() -> None:
    assert decisions([0.79, 0.2, 0.005, 0.005])[1] == "indeterminate"


def test_a_group_that_was_never_calibrated_on_decides_nothing() -> None:
    told = judged(CARD, "mr/knee", findings_of([0.97, 0.01, 0.01, 0.01]))
    assert {finding.decision for finding in told.findings} == {"indeterminate"}
    assert told.reason == "no rows of this group were calibrated on"


def test_findings_without_a_probability_and_cards_without_sets_are_left_alone() -> None:
    bare = [Finding(id="F1", label="glioma", probability=None, interval=None, decision="indeterminate")]
    assert judged(CARD, DOMAIN, bare).findings == tuple(bare)
    plain = CARD.model_copy(update={"sets": {}})
    assert sets_of(plain) is None
    some = findings_of([0.45, 0.5, 0.03, 0.02])
    assert judged(plain, DOMAIN, some).findings == tuple(some)


@pytest.mark.parametrize(
    "sets", [{"alpha": 2}, {**CARD.sets, "alpha": 0}, {**CARD.sets, "labels": ["glioma", "stroke"]}]
)
def test_sets_that_do_not_fit_the_card_are_an_error_that_names_it(sets: dict[str, object]) -> None:
    with pytest.raises(CardError, match="brain-mr-findings"):
        sets_of(CARD.model_copy(update={"sets": sets}))


def shares(raw: list[int]) -> list[float]:
    return [n / sum(raw) for n in raw]


@given(st.lists(st.integers(1, 1000), min_size=4, max_size=4).map(shares))
def test_sets_only_ever_make_a_finding_less_sure(chances: list[float]) -> None:
    before = findings_of(chances)
    told = judged(CARD, DOMAIN, before)
    for one, other in zip(before, told.findings, strict=True):
        assert other.decision in (one.decision, "indeterminate")
        assert other.probability == one.probability
    assert len(told.hedged) != 1
    assert not {f.label for f in told.findings if f.decision != "indeterminate"} & set(told.hedged)


@given(st.lists(st.integers(1, 1000), min_size=4, max_size=4).map(shares), st.booleans())
def test_the_gate_lets_through_what_the_composer_says_of_a_set(chances: list[float], volume: bool) -> None:
    image = SeenImage(
        id="D1", study_id="a", frame=3, modality="MR", domain=DOMAIN, probability=0.97, context=Context(),
        slices=(5,) if volume else (),
    )  # fmt: skip
    told = judged(CARD, DOMAIN, findings_of(chances))
    seen = tuple(
        SeenFinding(
            image="D1", tool=CARD.name, title=CARD.title, finding=finding, covers=LABELS, reason=told.reason,
            hedged=finding.label in told.hedged, frame=3,
        )
        for finding in told.findings
    )  # fmt: skip
    evidence = Evidence(about_image=True, knowledge=False, images=(image,), findings=seen)
    text = "".join(compose(evidence))
    released = Gate(Identity(), ledger_of(evidence)).offline(text)
    assert [unit.claim for unit in released if unit.withheld] == []
    assert text.replace("between tumour and none", "").count("cannot decide between") == bool(told.hedged)
    for label in told.hedged:
        assert text.count(f"{label} (") == 1
