"""What survives de-identification: age band, sex, view, laterality, body part, modality.

Every value is one of a closed list (``data/terms.yaml``), so nothing written by a person gets through.
Sources: PS3.3 C.7.1.1, C.7.2.2 (patient), C.8.11.5 (view), C.7.3.1 (laterality); PS3.16 annex L (body parts).
"""

import re
from datetime import date
from functools import lru_cache
from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydicom import Dataset

from overread.packaged import packaged_yaml
from overread.records import AgeBand, Context
from tools.imaging.header import frame_groups, items, word

Laterality = Literal["L", "R", "B", "U"] | None

_LATERALITIES: tuple[Literal["L", "R", "B", "U"], ...] = ("L", "R", "B", "U")
_AGE = re.compile(r"^(\d{3})([DWMY])$")
_DAYS = {"D": 1.0, "W": 7.0, "M": 30.4375, "Y": 365.25}
_BANDS: tuple[tuple[float, AgeBand], ...] = (
    (28, "newborn"),
    (2 * _DAYS["Y"], "infant"),
    (12 * _DAYS["Y"], "child"),
    (18 * _DAYS["Y"], "adolescent"),
    (65 * _DAYS["Y"], "adult"),
    (130 * _DAYS["Y"], "elderly"),
)


class Terms(BaseModel):
    """The closed lists. Each word maps to the term it stands for; keys have upper-case letters only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    modalities: tuple[str, ...]
    views: dict[str, str]
    view_codes: dict[str, str]
    body_parts: dict[str, str]


@lru_cache(maxsize=1)
def terms() -> Terms:
    """The terms of ``data/terms.yaml``."""
    raw = packaged_yaml("tools.imaging", "data/terms.yaml")
    for key in ("views", "body_parts"):
        raw[key] = {**{term: term for term in raw[key]["terms"]}, **raw[key]["aliases"]}
    return Terms.model_validate(raw)


def modality(header: Dataset) -> str | None:
    """The modality code, if it is one of PS3.3 C.7.3.1.1.1."""
    found = word(header, "Modality")
    return found if found in terms().modalities else None


def context(header: Dataset) -> Context:
    """The context of a study, from the header as it came, before it is stripped."""
    sex = word(header, "PatientSex")
    return Context(
        age_band=age_band(header),
        sex="F" if sex == "F" else "M" if sex == "M" else "O" if sex == "O" else None,
        view=_view(header),
        laterality=_laterality(header),
        body_part=_body_part(header),
    )


def age_band(header: Dataset) -> AgeBand | None:
    """The age band, from Patient's Age, or else from the birth date on the day of the study.

    ``000Y`` and the like, and a study on the very day of birth, stand for "not known" in practice
    and are read so. An age over 130 years or before birth is not known.
    """
    match = _AGE.match(word(header, "PatientAge"))
    if match and int(match[1]):
        return _band(int(match[1]) * _DAYS[match[2]])
    born = _date(word(header, "PatientBirthDate"))
    taken = next(
        filter(None, (_date(word(header, f"{what}Date")) for what in ("Study", "Series", "Acquisition"))), None
    )
    return _band((taken - born).days) if born and taken else None


def _band(days: float) -> AgeBand | None:
    if days <= 0:
        return None
    return next((band for below, band in _BANDS if days < below), None)


def _date(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8])) if len(text) == 8 else None
    except ValueError:
        return None


def _view(header: Dataset) -> str | None:
    named = _term(word(header, "ViewPosition"), terms().views)
    if named:
        return named
    codes = (terms().view_codes.get(word(item, "CodeValue")) for item in items(header, "ViewCodeSequence"))
    return next(filter(None, codes), None)


def _laterality(header: Dataset) -> Laterality:
    for group in frame_groups(header, 0, "FrameAnatomySequence"):
        for keyword in ("FrameLaterality", "ImageLaterality", "Laterality"):
            found = word(group, keyword)
            for letter in _LATERALITIES:
                if found == letter:
                    return letter
    return None


def _body_part(header: Dataset) -> str | None:
    return _term(word(header, "BodyPartExamined"), terms().body_parts)


def _term(text: str, known: dict[str, str]) -> str | None:
    """The term for ``text``: all its letters together, or else its first known word."""
    words = re.findall(r"[A-Z]+", text)
    return next((known[one] for one in ("".join(words), *words) if one in known), None)
