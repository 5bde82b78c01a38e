import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.phi.identity import Identity


def identity(**values: str) -> Identity:
    made = Identity()
    for kind, value in values.items():
        made.add(value, kind)
    return made


def found(made: Identity, text: str) -> list[str]:
    return [text[span.start : span.end] for span in made.find(text)]


@pytest.mark.parametrize(
    "text",
    [
        "Kowalski^Agnieszka^Q",
        "kowalski agnieszka",
        "Agnieszka Kowalski",
        "AGNIESZKA Q. KOWALSKI",
        "Kowalski, Agnieszka",
        "A. Kowalski",
        "A Kowalski",
        "Kowalski A.",
        "kowalski_agnieszka_01.dcm",
        "AgnieszkaKowalski",
        "Ms Kowalski",
        "Agnieszka",
        "Agni\u200beszka Kowal\u00adski",
        "\uff2bowalski",
        "KOWALSKI'S",
        "Agnieszka\nKowalski",
    ],
)
def test_a_name_is_found_however_it_is_written(text: str) -> None:
    assert found(identity(name="Kowalski^Agnieszka^Q"), text)


def test_accents_do_not_matter() -> None:
    assert found(identity(name="Müller^Jürgen"), "Herr Jurgen Muller") == ["Jurgen Muller"]
    assert found(identity(name="Muller^Jurgen"), "Jürgen Mu\u0308ller") == ["Jürgen Mu\u0308ller"]


@pytest.mark.parametrize(
    "text",
    [
        "2004-01-19",
        "20040119",
        "19/01/2004",
        "01/19/2004",
        "1/19/04",
        "19.1.2004",
        "19 Jan 2004",
        "19th January, 2004",
        "January 19, 2004",
        "Jan. 19th 2004",
        "19-JAN-2004",
        "January 19",
        "2004 January 19",
    ],
)
def test_a_date_is_found_however_it_is_written(text: str) -> None:
    assert found(identity(date="20040119"), f"seen {text} again") == [text]


def test_other_dates_are_not_found() -> None:
    assert found(identity(date="20040119"), "20 Jan 2004, 19/02/2004, 2004, January 2004, 1.19, 119/04") == []


def test_ids_with_and_without_separators() -> None:
    made = identity(id="MRN-0012345", uid="1.2.840.113619.2.62.994044785528")
    assert found(made, "mrn0012345 and MRN 00 12345 and 12345x") == ["mrn0012345", "MRN 00 12345"]
    assert found(made, "study 1.2.840.113619.2.62.994044785528.") == ["1.2.840.113619.2.62.994044785528"]
    assert found(identity(id="0007654321"), "id 765-4321") == ["765-4321"]


CLINICAL = (
    "There is no pneumonia in the left lower lobe. The chest X-ray shows a normal heart. May be a brown or white mass. "
    "Grace and hope. CT, MR and US were done; 12 mm, 0.93, T2, L4-L5. Test image of an anonymous patient, unknown. "
    "The stone and the long root of the hall will rest."
)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("name", "Anonymous"),
        ("name", "CHEST"),
        ("name", "Test^Patient"),
        ("name", "MR^CT"),
        ("name", "Brown^Mass"),
        ("name", "M"),
        ("name", "X^Y"),
        ("name", ""),
        ("name", "^^^"),
        ("name", "Stone^Hall"),
        ("id", "1"),
        ("id", "12"),
        ("id", "CT"),
        ("id", "test"),
        ("id", "00000"),
        ("id", "2004"),
        ("facility", "Hospital"),
        ("facility", "Radiology Department"),
        ("date", "0000"),
        ("date", "20041399"),
    ],
)
def test_clinical_text_keeps_its_words(kind: str, value: str) -> None:
    assert found(identity(**{kind: value}), CLINICAL) == []


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        ("Sundhagen Sykehus", "Came from Sundhagen; the sykehus is large.", ["Sundhagen"]),
        ("Sundhagen Sykehus", "sundhagen_01.dcm", ["sundhagen"]),
        ("Universitätsklinikum Altenfurt", "Im Klinikum, in Altenfurt", ["Altenfurt"]),
        ("Hôpital Belleroche", "the hopital of Belleroche", ["Belleroche"]),
        ("Tromvik General Hospital, Radiology", "General condition good. Tromvik: radiology", ["Tromvik"]),
        ("Brno Clinic", "a burno; Brno, brno", ["Brno"]),
    ],
)
def test_the_part_of_a_facility_that_names_it_is_found_alone(value: str, text: str, expected: list[str]) -> None:
    assert found(identity(facility=value), text) == expected


@pytest.mark.parametrize(
    "value",
    [
        "University Hospital North",
        "Nord Klinik",
        "Community Children's Hospital",
        "Central Radiology Center",
        "Mayo Clinic",
        "St. Mary Medical Center",
        "Good Samaritan Regional",
        "Sykehuset Sør",
        "Royal Eye Infirmary",
        "National Cancer Institute",
        "Memorial Heart and Lung Centre",
        "Duke University",
    ],
)
def test_generic_words_of_a_facility_are_not_found_alone(value: str) -> None:
    text = (
        "Community acquired pneumonia in children. Central line; north of the hilum, nord, university, regional nodes. "
        "Mayo score, Duke criteria, royal, national, memorial, heart, lung, cancer, eye, general condition good, St. "
        "Mary, klinik and sykehuset. May be in the center; chest clinic."
    )
    made = identity(facility=value)
    assert [one for one in found(made, text) if one != "Mary"] == []


def test_a_surname_that_is_a_word_is_found_with_a_capital_only() -> None:
    made = identity(name="Stone^Rebecca")
    assert found(made, "a kidney stone of 4 mm") == []
    assert found(made, "Mrs Stone and Rebecca Stone") == ["Stone", "Rebecca Stone"]


def test_repr_shows_counts_only() -> None:
    made = identity(name="Kowalski^Agnieszka", id="MRN-0012345", date="20040119")
    assert repr(made) == "Identity(date: 1, id: 1, name: 1)"
    assert len(made) == 3
    with pytest.raises(TypeError, match="never serialised"):
        pickle.dumps(made)


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match="no kind"):
        Identity().add("x", "shoe size")


NAMES = st.text("bcdfghklmnprstvwz", min_size=4, max_size=9)


@given(
    NAMES,
    NAMES,
    st.sampled_from([" ", "^", ", ", "_", " \u200b", "\n"]),
    st.booleans(),
    st.sampled_from(["", "x. ", "(", "“"]),
)
def test_any_name_in_any_order_is_covered(last: str, first: str, gap: str, swap: bool, before: str) -> None:
    made = identity(name=f"{last}^{first}")
    words = (first, last) if swap else (last, first)
    text = before + words[0].upper() + gap + words[1].title()
    covered = {i for span in made.find(text) for i in range(span.start, span.end)}
    assert all(i in covered for i in range(len(before), len(text)) if text[i].isalpha())


@given(st.text(max_size=200))
def test_spans_are_in_order_and_inside(text: str) -> None:
    made = identity(name="Kowalski^Agnieszka^Q", id="MRN-0012345", date="20040119")
    last = 0
    for span in made.find(text + "Kowalski" + text):
        assert last <= span.start < span.end <= 2 * len(text) + 8
        last = span.end
