from hypothesis import given
from hypothesis import strategies as st

from agent.engines.composer import compose
from agent.evidence import Evidence, ledger_of
from guardrails.disagreement import disagreeing
from guardrails.gate import Gate
from guardrails.phi.identity import Identity
from guardrails.phi.text import TextDetector
from overread.records import Passage

SIX = "Treatment of uncomplicated pneumonia with this antibiotic lasts 5 days."
TEN = "Treatment of uncomplicated pneumonia with this antibiotic lasts 10 days."


def passage(id_: str, text: str) -> Passage:
    return Passage(id=id_, title=f"Source {id_}", source="Notes", text=text, score=0.9)


def test_another_number_another_side_or_a_denial_is_told() -> None:
    for one, other in (
        (SIX, TEN),
        ("The right lobe of the liver is affected most often.", "The left lobe of the liver is affected most often."),
        (
            "Early sarcoidosis shows no pleural effusion on the film.",
            "Early sarcoidosis shows pleural effusion on the film.",
        ),
    ):
        assert disagreeing([("S1", one), ("S2", other)]) == [("S1", "S2")]


def test_what_is_on_something_else_or_says_the_same_is_not() -> None:
    beside = "A cough that lasts more than 10 days should be looked at by a doctor."
    assert disagreeing([("S1", SIX), ("S2", beside), ("S3", SIX)]) == []


@given(st.text(max_size=120))
def test_nothing_disagrees_with_itself(text: str) -> None:
    assert disagreeing([("S1", text), ("S2", text)]) == []


def test_the_answer_says_so_and_the_gate_lets_it_through() -> None:
    evidence = Evidence(about_image=False, knowledge=True, passages=(passage("S1", SIX), passage("S2", TEN)))
    answer = "".join(compose(evidence))
    assert "These two sources may not say the same, so compare them [S1, S2]." in answer
    released = Gate(Identity(), ledger_of(evidence), TextDetector()).offline(answer)
    assert "".join(unit.text for unit in released).strip() == answer.strip()


def test_nobody_may_say_that_sources_differ_which_do_not() -> None:
    evidence = Evidence(about_image=False, knowledge=True, passages=(passage("S1", SIX), passage("S2", SIX)))
    said = "These two sources do not agree [S1, S2]."
    (unit,) = Gate(Identity(), ledger_of(evidence), TextDetector()).offline(said)
    assert unit.withheld == "unsupported"
