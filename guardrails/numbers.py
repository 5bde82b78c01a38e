"""Whether the numbers in a sentence are those of its evidence, as rounded as they are shown."""

import re
from dataclasses import dataclass

from guardrails.ledger import Ledger

_NUMBER = re.compile(
    r"""(?P<bound>(?:less|fewer|lower|more|greater|higher)[ ]than[ ]|below[ ]|above[ ]|under[ ]|over[ ]
          |at[ ]least[ ]|at[ ]most[ ]|[<>≤≥][ ]?)?
        (?<![\w.])(?P<value>\d+(?:,\d{3})*(?:\.\d+)?)
        \s?(?P<unit>%|percent|per[ ]cent|mm²|mm2|cm²|cm2|mm|cm|µm|um|ml|hu|px|pixels?)?(?![\w]|\.\d)""",
    re.IGNORECASE | re.VERBOSE,
)
_NOT_A_CLAIM = re.compile(
    r"""\b\d+[ ]?%?[ ](?:confidence[ ])?(?:interval|ci)\b
        |\b(?:image|frame|slice|figure|table|step|section|page|grade|stage|type|view|study)[ ]\d+
        |\b\d+[- ](?:year|month|week|day)s?[- ]old\b
        |\b[A-Z]{1,3}\d+(?:[-/][A-Z]?\d+)?\b|\bcovid-19\b""",
    re.IGNORECASE | re.VERBOSE,
)
_LITTLE = 12
"""A bare whole number up to this counts something in the text, and is not checked against tools."""
_MM = {"mm": 1.0, "cm": 10.0, "µm": 0.001, "um": 0.001}


@dataclass(frozen=True)
class _Said:
    value: float
    step: float
    unit: str
    bound: str


def numbers_agree(said: str, ids: tuple[str, ...], ledger: Ledger) -> bool:
    """Whether every number of a sentence stands in the evidence it cites.

    A percentage is compared with probabilities and their intervals, a length with measurements in
    either mm or cm, anything else with every value there is. Numbers in a cited passage hold as written.
    """
    if ledger.is_opaque(ids):
        return True
    passages = " ".join(ledger.passages[one].text for one in ids if one in ledger.passages)
    written = {match["value"].replace(",", "") for match in _NUMBER.finditer(passages)}
    for number in _numbers(said):
        shown = f"{number.value:g}"
        if shown in written or any(float(value) == number.value for value in written):
            continue
        if not number.unit and number.step == 1 and number.value <= _LITTLE:
            continue
        if not any(_matches(number, value, unit) for value, unit in _values(ids, ledger)):
            return False
    return True


def number_is_of(said: str, id: str, ledger: Ledger) -> bool:  # noqa: A002
    """Whether every number of a piece of a sentence, small ones too, is the value (no interval) of some evidence."""
    values = _values((id,), ledger)[:1]
    return all(any(_matches(number, value, unit) for value, unit in values) for number in _numbers(said))


def _numbers(said: str) -> list[_Said]:
    text = _NOT_A_CLAIM.sub(lambda match: " " * len(match[0]), said)
    found = []
    for match in _NUMBER.finditer(text):
        digits = match["value"].replace(",", "")
        step = 10.0 ** -len(digits.partition(".")[2])
        unit = (match["unit"] or "").lower().replace("²", "2")
        unit = "%" if unit in ("percent", "per cent") else "px" if unit.startswith("pixel") else unit
        found.append(_Said(float(digits), step, unit, (match["bound"] or "").strip().lower()))
    return found


def _values(ids: tuple[str, ...], ledger: Ledger) -> list[tuple[float, str]]:
    """Every value behind the ids with its unit; "p" for a probability."""
    out: list[tuple[float, str]] = []
    for one in ids:
        if one in ledger.findings:
            finding = ledger.findings[one]
            out += [(p, "p") for p in (finding.probability, *(finding.interval or ())) if p is not None]
        elif one in ledger.measurements:
            out.append((ledger.measurements[one].value, ledger.measurements[one].unit.lower().replace("²", "2")))
        elif one in ledger.domains:
            out.append((ledger.domains[one][1], "p"))
        elif one in ledger.cases:
            out.append((ledger.cases[one].similarity, "p"))
    return out


def _matches(said: _Said, value: float, unit: str) -> bool:
    if unit == "p":
        if said.unit not in ("%", ""):
            return False
        value = value * 100 if said.unit == "%" else value
    elif said.unit in _MM and unit in _MM:
        value = value * _MM[unit] / _MM[said.unit]
    elif said.unit and said.unit != unit:
        return False
    if said.bound.startswith(("less", "fewer", "lower", "below", "under", "at most", "<", "≤")):
        return value <= said.value
    if said.bound.startswith(("more", "greater", "higher", "above", "over", "at least", ">", "≥")):
        return value >= said.value
    return abs(value - said.value) <= said.step / 2 + 1e-9
