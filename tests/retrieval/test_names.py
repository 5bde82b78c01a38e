from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from retrieval.names import OtherName, renamed, table
from retrieval.sources import front, medlineplus, medquad

DOCUMENTS = [
    ("Amyotrophic lateral sclerosis", ["Lou Gehrig's disease", "ALS"]),
    ("Parkinson's disease", ["Shaking palsy", "Paralysis agitans"]),
    ("Parkinson's disease", ["Shaking palsy"]),
    ("Cold", ["Common cold"]),
    ("Cold injury", ["Frostbite", "Shock"]),
    ("Sepsis", ["Shock"]),
    ("Frostbite in children", []),
]


def lookup_in(names: Mapping[str, OtherName]) -> object:
    def lookup(runs: Sequence[str]) -> dict[str, OtherName]:
        return {run: names[run] for run in runs if run in names}

    return lookup


LOOKUP = lookup_in(table(DOCUMENTS))


def ask(question: str) -> str:
    return renamed(question, LOOKUP)  # type: ignore[arg-type]


def test_another_name_is_put_back_to_the_title() -> None:
    assert ask("How is Lou Gehrig's disease treated?") == "How is Amyotrophic lateral sclerosis treated?"
    assert ask("what causes shaking palsy") == "what causes Parkinson's disease"


def test_an_abbreviation_counts_in_capitals_alone() -> None:
    assert ask("Is ALS inherited?") == "Is Amyotrophic lateral sclerosis inherited?"
    assert ask("is als inherited?") == "is als inherited?"


def test_a_name_of_two_subjects_or_within_a_title_is_none() -> None:
    assert ask("What is shock?") == "What is shock?"
    assert ask("How is frostbite treated?") == "How is frostbite treated?"


def test_a_question_with_the_title_in_it_is_left_as_it_is() -> None:
    asked = "Is shaking palsy the same as Parkinson's disease?"
    assert ask(asked) == asked


@given(st.text(max_size=80))
def test_a_question_without_a_name_is_never_changed(text: str) -> None:
    assert renamed(text, lambda _: {}) == text


@given(st.text(max_size=30), st.text(max_size=30))
def test_what_stands_round_a_name_stays(before: str, after: str) -> None:
    asked = ask(f"{before} shaking palsy {after}")
    if asked != f"{before} shaking palsy {after}":
        assert "Parkinson's disease" in asked or "Amyotrophic" in asked


def test_medquad_medlineplus_and_front_matter_tell_other_names() -> None:
    pair = '<QAPair pid="1"><Question qtype="information">What is it?</Question><Answer>It is.</Answer></QAPair>'
    names = "<FocusAnnotations><Synonyms><Synonym>ALS</Synonym><Synonym> Gout </Synonym></Synonyms></FocusAnnotations>"
    data = f'<Document id="1" source="X"><Focus>Gout</Focus>{names}<QAPairs>{pair}</QAPairs></Document>'
    assert [document.names for document in medquad.read(data.encode(), "x.xml")] == [("ALS",)]
    topic = '<health-topic title="Scars" id="2" language="English"><also-called>Cicatrix</also-called>'
    data = f"<health-topics>{topic}<full-summary>A scar.</full-summary></health-topic></health-topics>"
    assert [document.names for document in medlineplus.read(data.encode(), "x.xml")] == [("Cicatrix",)]
    assert front.about({"names": ["Gout", 3, None, "Gout"]})["names"] == ("Gout", "3")
