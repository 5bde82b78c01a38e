"""Whether the numbers in a sentence are those of its evidence, as rounded as they are shown, in whatever unit."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from guardrails.ledger import Ledger

_UNITS = {
    "length": {"mm": 1.0, "cm": 10.0, "µm": 0.001, "um": 0.001, "m": 1000.0, "inch": 25.4},
    "area": {"mm2": 1.0, "cm2": 100.0, "m2": 1e6},
    "volume": {"mm3": 0.001, "ml": 1.0, "cm3": 1.0, "cc": 1.0, "µl": 0.001, "l": 1000.0},
    "time": {"minute": 1 / 1440, "hour": 1 / 24, "day": 1.0, "week": 7.0, "month": 30.4, "year": 365.0},
    "mass": {"mcg": 0.001, "mg": 1.0, "g": 1000.0, "kg": 1e6},
    "angle": {"degree": 1.0},
}
_SPELLED = {
    "percent": "%", "per cent": "%", "millimet": "mm", "centimet": "cm", "millilit": "ml", "cubic cm": "cm3",
    "square mm": "mm2", "square cm": "cm2", "square millimet": "mm2", "square centimet": "cm2", "°": "degree",
    "pixel": "px", "inches": "inch", "microg": "mcg",
}  # fmt: skip
_NUMBER = re.compile(
    r"""(?P<bound>(?:(?:not?|cannot|never)[ ])?(?:just[ ]|slightly[ ]|much[ ])?
          (?:(?:less|fewer|lower|smaller|more|greater|higher|larger|wider)[ ]than[ ]
          |(?:below|above|under|over|exceeds?|exceeding)[ ]|at[ ]least[ ]|at[ ]most[ ]|up[ ]to[ ])|[<>≤≥][ ]?)?
        (?<![\w.])(?P<value>\d+(?:,\d{3})*(?:\.\d+)?)
        (?:\s?-?(?P<unit>%|percent|per[ ]cent|square[ ](?:mm|cm|millimet\w+|centimet\w+)|cubic[ ]cm
          |mm²|mm2|mm³|mm3|cm²|cm2|cm³|cm3|m²|m2
          |mm|cm|µm|um|millimet(?:er|re)s?|centimet(?:er|re)s?|millilit(?:er|re)s?|ml|cc|µl|mcg|microg\w*|mg|kg|g|hu|px|pixels?
          |degrees?|°|inch(?:es)?|minutes?|hours?|days?|weeks?|months?|years?)(?![\w²³]))?
        (?![\w]|\.\d|-year)""",
    re.IGNORECASE | re.VERBOSE,
)
_PAIR = re.compile(r"(\d+(?:\.\d+)?)(\s?(?:x|×|by|to|-|–)\s?)(\d+(?:\.\d+)?)\s?(mm²|cm²|mm|cm|%|px|ml)", re.IGNORECASE)
"""Two numbers that share the unit behind the second: "12 x 8 mm"."""
_NOT_A_CLAIM = re.compile(
    r"""\b\d+[ ]?%?[ ](?:confidence[ ])?(?:interval|ci)\b
        |\b(?:image|frame|slice|figure|table|step|section|page|view|study)[ ]\d+
        |\b\d+[- ](?:year|month|week|day)s?[- ]old\b
        |\b[A-Z]{1,3}\d+(?:[-/][A-Z]?\d+)?\b|\bcovid-19\b""",
    re.IGNORECASE | re.VERBOSE,
)
_LEVEL = re.compile(r"\b95 ?% (?:confidence|credib\w+|certainty)", re.IGNORECASE)
"""How sure an interval is: no claim beside one."""
_GRADE = re.compile(r"\b(?:grade|stage|type|class|category|level|birads|bi-rads|pi-rads|degree)\s*$", re.IGNORECASE)
_LITTLE = 12
"""A bare whole number up to this counts something in the text, unless it stands before a finding."""


@dataclass(frozen=True)
class Owner:
    """A name in a sentence that a number can belong to: where it stands, and the evidence it names."""

    span: tuple[int, int]
    ids: tuple[str, ...]


@dataclass(frozen=True)
class _Said:
    value: float
    step: float
    unit: str
    bound: str
    span: tuple[int, int]


def numbers_agree(
    said: str, groups: Sequence[tuple[str, ...]], ledger: Ledger, owners: Sequence[Owner] = (), mark: str = "¦"
) -> bool:
    """Whether every number of a sentence stands in the evidence it cites.

    ``said`` has ``mark`` in place of each group of ids. A number belongs to the name before it, else to the one
    behind it, else to all that its group cites. A percentage is compared with probabilities and their intervals, a
    quantity with measurements in any unit of its kind. Numbers in a cited passage hold with their unit.
    """
    found = _numbers(said)
    paired = _paired(said, [one for one in found if one.unit or one.step < 1], owners)
    for number in found:
        place = min(said[: number.span[0]].count(mark), len(groups) - 1)
        ids = groups[place] if groups else ()
        if any(_in_text(number, ledger.passages[one].text) for one in ids if one in ledger.passages):
            continue
        if not number.unit and number.step == 1 and number.value <= _LITTLE:
            if _counts(said, number, owners):
                return False
            continue
        known = _values(_owned(number, ids, owners, ledger) if number not in paired else paired[number], ledger)
        if not any(_matches(number, value, unit) for value, unit in known):
            return False
    return True


def _paired(said: str, numbers: Sequence[_Said], owners: Sequence[Owner]) -> dict[_Said, tuple[str, ...]]:
    """Of "this and that, at 4 % and 7 %": which number is of which name, in order. Empty without such a list."""
    run = list(numbers)
    while len(run) > 1 and not all(
        re.fullmatch(r"\s*(?:,|,?\s*and)\s+", said[a.span[1] : b.span[0]]) for a, b in pairwise(run)
    ):
        run = run[1:]
    before = [one for one in owners if run and one.span[1] <= run[0].span[0]]
    names = before[-len(run) :]
    listed = len(run) > 1 and len(names) == len(run) and len(before) == len(run)
    return {number: one.ids for number, one in zip(run, names, strict=True)} if listed else {}


def number_is_of(said: str, id: str, ledger: Ledger) -> bool:  # noqa: A002
    """Whether every number of a piece of a sentence, small ones too, is the value (no interval) of some evidence."""
    values = _values((id,), ledger)[:1]
    return all(any(_matches(number, value, unit) for value, unit in values) for number in _numbers(said))


def quantities(text: str) -> list[tuple[float, str]]:
    """Every number of a text with its unit, converted to the unit of its kind: (120.0, "length"), (0.5, "")."""
    return [_base(number.value, number.unit) for number in _numbers(text)]


def _owned(number: _Said, ids: tuple[str, ...], owners: Sequence[Owner], ledger: Ledger) -> tuple[str, ...]:
    """The evidence a number can be of: that of the nearest name before it that has such numbers, else behind it."""
    measured = number.unit not in ("", "%")
    fit = [one for one in owners if any((id in ledger.measurements) >= measured for id in one.ids)]  # noqa: A001
    if number.unit == "%":
        fit = [one for one in fit if any(id not in ledger.measurements for id in one.ids)] or fit  # noqa: A001
    before = [one for one in fit if one.span[1] <= number.span[0]]
    behind = [one for one in fit if one.span[0] >= number.span[1]]
    nearest = before[-1] if before else behind[0] if behind else None
    return nearest.ids if nearest else ids


def _counts(said: str, number: _Said, owners: Sequence[Owner]) -> bool:
    """Whether a little number counts findings, or grades one."""
    if _GRADE.search(said[: number.span[0]]):
        return True
    behind = [one.span[0] for one in owners if one.span[0] >= number.span[1]]
    return bool(behind) and re.fullmatch(r"\s+(?:[\w-]+\s+){0,3}", said[number.span[1] : min(behind)]) is not None


def _numbers(said: str) -> list[_Said]:
    text = _NOT_A_CLAIM.sub(lambda match: " " * len(match[0]), said)
    if re.search(r"\b(?:between|intervals?|ranges?|from)\b", said):
        text = _LEVEL.sub(lambda match: " " * len(match[0]), text)
    shared = {match.start(1): match[4].lower() for match in _PAIR.finditer(text)}
    found = []
    for match in _NUMBER.finditer(text):
        digits = match["value"].replace(",", "")
        step = 10.0 ** -len(digits.partition(".")[2])
        unit = _unit(match["unit"] or shared.get(match.start("value"), ""))
        span = match.start("value"), match.end()
        found.append(_Said(float(digits), step, unit, (match["bound"] or "").strip().lower(), span))
    return found


@lru_cache(maxsize=256)
def _unit(written: str) -> str:
    unit = written.lower().replace("²", "2").replace("³", "3")
    for start in sorted(_SPELLED, key=len, reverse=True):
        if unit.startswith(start):
            return _SPELLED[start]
    return unit.rstrip("s") if unit.rstrip("s") in _UNITS["time"] | _UNITS["angle"] else unit


def _base(value: float, unit: str) -> tuple[float, str]:
    for kind, factors in _UNITS.items():
        if unit in factors:
            return value * factors[unit], kind
    return value, unit


def _in_text(number: _Said, text: str) -> bool:
    """Whether a text has the number: alone with no unit on either side, or the same quantity in any unit."""
    ours = _base(number.value, number.unit)
    for theirs in quantities(text):
        same_kind = ours[1] == theirs[1] or not ours[1]
        if same_kind and abs(ours[0] - theirs[0]) <= 0.02 * abs(theirs[0]) * (ours[1] == "time") + 1e-9:
            return True
    return False


def _values(ids: tuple[str, ...], ledger: Ledger) -> list[tuple[float, str]]:
    """Every value behind the ids with its unit; "p" for a probability."""
    out: list[tuple[float, str]] = []
    for one in ids:
        if one in ledger.findings:
            finding = ledger.findings[one]
            out += [(p, "p") for p in (finding.probability, *(finding.interval or ())) if p is not None]
        elif one in ledger.measurements:
            out.append((ledger.measurements[one].value, _unit(ledger.measurements[one].unit)))
        elif one in ledger.domains:
            out.append((ledger.domains[one][1], "p"))
            out += [fact for text in ledger.studies.get(one, {}).values() for fact in _noted(text)]
        elif one in ledger.cases:
            out.append((ledger.cases[one].similarity, "p"))
        out += [(value, unit) for value, unit in _noted(ledger.notes.get(one, ""))]
    return out


@lru_cache(maxsize=256)
def _noted(text: str) -> tuple[tuple[float, str], ...]:
    """The numbers of what a tool says beside a finding, as they stand."""
    return tuple((number.value, number.unit) for number in _numbers(text))


def _matches(said: _Said, value: float, unit: str) -> bool:
    step, least, most = said.step, said.value, said.value
    if unit == "p":
        if said.unit not in ("%", ""):
            return False
        value = value * 100 if said.unit == "%" else value
    elif said.unit == "%" and unit in ("ratio", "fraction", ""):
        value *= 100
    elif said.unit:
        (shown, kind), (real, other) = _base(said.value, said.unit), _base(value, unit)
        if kind != other:
            return False
        scale = shown / said.value if said.value else 1.0
        step, least, most, value = step * scale, shown, shown, real
    if said.bound:
        at_most = re.search(r"\b(?:less|fewer|lower|smaller|below|under|at most|up to)\b|[<≤]", said.bound) is not None
        denied = re.match(r"(?:not?|cannot|never)\b", said.bound) is not None
        return value <= most if at_most != denied else value >= least
    return abs(value - most) <= step / 2 + 1e-9
