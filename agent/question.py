"""What a question asks for, and what it says of the patient.

Rules, not a model: they must give the same answer on every machine, and be readable. The words are
data, in ``prompts/question.yaml``.
"""

import re
from functools import lru_cache
from typing import Any

from overread.packaged import packaged_yaml
from overread.records import AgeBand, Box, Context, Record


class Asked(Record):
    """What a question wants. ``about_image`` and ``knowledge`` may both hold. ``cases`` asks for similar ones,
    ``change`` for what has changed, ``measure`` for a measurement.

    ``looks_for`` are the words of findings the question names, in lower case.
    """

    about_image: bool
    knowledge: bool
    report: bool
    cases: bool
    change: bool
    measure: bool
    parts: tuple[str, ...]


@lru_cache(maxsize=1)
def _words() -> dict[str, Any]:
    data: dict[str, Any] = packaged_yaml("agent", "prompts/question.yaml")
    return data


@lru_cache(maxsize=8)
def pattern(name: str) -> re.Pattern[str]:
    """The patterns of a name in ``prompts/question.yaml``, any of which may match."""
    return re.compile("|".join(f"(?:{p})" for p in _words()[name]), re.IGNORECASE)


def understand(question: str) -> Asked:
    """What the question asks for. A question that is neither is about the image."""
    about_image = bool(pattern("about_image").search(question))
    knowledge = bool(pattern("knowledge").search(question))
    report = bool(pattern("report").search(question))
    return Asked(
        about_image=about_image or report or not knowledge,
        knowledge=knowledge,
        report=report,
        cases=bool(pattern("cases").search(question)),
        change=bool(pattern("change").search(question)),
        measure=bool(pattern("measure").search(question)),
        parts=tuple(_parts(question)),
    )


def _parts(question: str) -> list[str]:
    pieces = re.split(
        r"(?<=[?.!;])\s+|,\s*(?:and|but)\s+(?=(?:what|how|why|when|where|which|is|are|does|do|can)\b)",
        question,
        flags=re.IGNORECASE,
    )
    return [piece.strip() for piece in pieces if piece and len(piece.strip()) > 2]


_BOX = re.compile(r"\bbox\W{0,3}(\d{1,5})\s*,\s*(\d{1,5})\s*,\s*(\d{1,5})\s*,\s*(\d{1,5})\b", re.IGNORECASE)
MOST_BOXES = 4


def boxes_in(question: str) -> list[Box]:
    """The boxes that a question names, as "box 120,80,260,210": half-open pixels, x0, y0, x1, y1. At most four.

    One whose edges are in the wrong order is no box.
    """
    found = [tuple(int(edge) for edge in match.groups()) for match in _BOX.finditer(question)]
    boxes = [(x0, y0, x1, y1) for x0, y0, x1, y1 in found if x0 < x1 and y0 < y1]
    return list(dict.fromkeys(boxes))[:MOST_BOXES]


_UNITS = {"day": 1 / 365.25, "week": 7 / 365.25, "month": 1 / 12, "year": 1.0}
_AGE = re.compile(
    r"\b(?P<n>\d{1,3})[\s-]*(?P<unit>day|week|month|year|yr|y/?o|mo|wk)s?(?:[\s-]*old)?\b(?P<tail>\s+(?:ago|later|history|apart))?",
    re.IGNORECASE,
)
_SHORT = {"yr": "year", "yo": "year", "y/o": "year", "mo": "month", "wk": "week"}


def age_band_of(years: float) -> AgeBand:
    """The band of an age in years: newborn to 28 days, infant to 2, child to 12, adolescent to 18, adult to 65."""
    bounds: list[tuple[float, AgeBand]] = [
        (28 / 365.25, "newborn"),
        (2, "infant"),
        (12, "child"),
        (18, "adolescent"),
        (65, "adult"),
    ]
    return next((band for limit, band in bounds if years < limit), "elderly")


def context_in(question: str) -> Context:
    """What a question says of the patient and the view: "a 4-year-old", "a newborn", "AP view".

    A duration ("3 weeks ago", "a cough for 2 weeks") is no age: without "old" only a number of years
    that stands before a person's word counts.
    """
    return Context(age_band=_age_band(question), sex=_sex(question), view=_view(question))


def _age_band(question: str) -> AgeBand | None:
    for match in _AGE.finditer(question):
        whole = match.group(0).lower()
        unit = match.group("unit").lower()
        unit = _SHORT.get(unit, unit)
        after = question[match.end() : match.end() + 14]
        says_age = "old" in whole or "y/o" in whole or "yo" in whole or bool(pattern("person").match(after.strip()))
        if match.group("tail") or not says_age:
            continue
        return age_band_of(int(match.group("n")) * _UNITS[unit])
    bands: dict[AgeBand, list[str]] = _words()["age_bands"]
    for band, words in bands.items():
        if re.search(r"\b(?:" + "|".join(words) + r")\b", question, re.IGNORECASE):
            return band
    return None


def _sex(question: str) -> Any:
    for sex, words in _words()["sex"].items():
        if re.search(r"\b(?:" + "|".join(words) + r")\b", question, re.IGNORECASE):
            return sex
    return None


def _view(question: str) -> str | None:
    match = re.search(r"\b(PA|AP|LL|CC|MLO)\b(?=\s+(?:view|film|projection|chest|x-?ray|radiograph))", question)
    return match.group(1) if match else None
