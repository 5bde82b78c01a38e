"""Only words of a closed list survive, and ages become bands."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset

from tools.imaging.context import context, modality, terms


def _header(**elements: Any) -> Dataset:
    """A header that says what real ones say, valid or not: LO takes any text."""
    header = Dataset()
    for keyword, value in elements.items():
        header.add_new(keyword, "LO", value)
    return header


@pytest.mark.parametrize(
    ("age", "band"),
    [
        ("001D", "newborn"), ("027D", "newborn"), ("003W", "newborn"), ("028D", "infant"), ("023M", "infant"),
        ("002Y", "child"), ("011Y", "child"), ("012Y", "adolescent"), ("018Y", "adult"), ("064Y", "adult"),
        ("065Y", "elderly"), ("129Y", "elderly"), ("131Y", None), ("000Y", None), ("40", None), ("", None),
    ],
)  # fmt: skip
def test_age_bands(age: str, band: str | None) -> None:
    assert context(_header(PatientAge=age)).age_band == band


@pytest.mark.parametrize(
    ("born", "taken", "band"),
    [
        ("20200101", "20200120", "newborn"),
        ("20200101", "20240101", "child"),
        ("19400101", "20240101", "elderly"),
        ("20240101", "20200101", None),
        ("20240101", "20240101", None),
        ("20241399", "20240101", None),
    ],
)
def test_age_from_birth_date(born: str, taken: str, band: str | None) -> None:
    assert context(_header(PatientBirthDate=born, StudyDate=taken)).age_band == band


def test_terms_are_normalised() -> None:
    found = context(_header(PatientSex="F", ViewPosition="mlo ", ImageLaterality="R", BodyPartExamined="Whole Body"))
    assert (found.sex, found.view, found.laterality, found.body_part) == ("F", "MLO", "R", "WHOLEBODY")
    assert context(_header(BodyPartExamined="CHEST PA")).body_part == "CHEST"


@given(st.text(min_size=1, max_size=30))
def test_nothing_written_by_a_person_survives(text: str) -> None:
    keywords = ("Modality", "PatientSex", "ViewPosition", "Laterality", "BodyPartExamined", "PatientAge")
    header = _header(**dict.fromkeys(keywords, text))
    found = context(header)
    assert modality(header) in (None, *terms().modalities)
    assert found.view in (None, *terms().views.values())
    assert found.body_part in (None, *terms().body_parts.values())
