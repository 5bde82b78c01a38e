"""The rules of a gate: what a report must keep to, in YAML.

rules:
- figure: "privacy/interfaces/*"       # ids as in overread audit compare; * stands for anything
  at_most: 0
- figure: "reliability/chest-findings-child/AUROC, pneumonia"
  at_least: 0.9
  judged: lower                        # the value (default), or the lower or upper end of its interval
- figure: "fairness/*/worst gap, AUROC*"
  at_most: 0.15
  missing: pass                        # fail (default): a rule that no figure with a value matches is broken
baseline: docs/trust/report.json       # beside the rules file; figures may not be clearly worse than there
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from evaluation.errors import RulesError
from evaluation.trust.compare import differences
from evaluation.trust.outcome import Measured
from evaluation.trust.record import Report, read_report


class Rule(BaseModel):
    """What the figures of a name must keep to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    figure: str = Field(min_length=1)
    at_least: float | None = None
    at_most: float | None = None
    judged: Literal["value", "lower", "upper"] = "value"
    missing: Literal["fail", "pass"] = "fail"

    @model_validator(mode="after")
    def _bounded(self) -> "Rule":
        if self.at_least is None and self.at_most is None:
            raise ValueError("a rule needs at_least or at_most")
        return self

    def number_of(self, figure: Measured) -> float | None:
        """What of a figure is judged; ``None`` where it has none."""
        if self.judged == "value":
            return figure.value
        return None if figure.interval is None else figure.interval[self.judged == "upper"]

    def kept_by(self, number: float) -> bool:
        """Whether a number is within the bounds."""
        return (self.at_least is None or number >= self.at_least) and (self.at_most is None or number <= self.at_most)


class Rules(BaseModel):
    """A rules file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[Rule, ...] = ()
    baseline: str | None = None


@dataclass(frozen=True)
class Broken:
    """A rule that was not kept, and by what."""

    id: str
    reason: str


def read_rules(path: Path) -> Rules:
    """The rules in a YAML file. Raises ``RulesError`` that names the field at fault."""
    try:
        rules = Rules.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise RulesError(f"rules: {where}: {first['msg']}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RulesError(f"the rules cannot be read as YAML ({type(error).__name__})") from None
    if not rules.rules and rules.baseline is None:
        raise RulesError("the rules file holds no rule and no baseline, so it would let everything pass")
    return rules


def broken(report: Report, rules: Rules, folder: Path) -> list[Broken]:
    """Every rule that a report breaks. ``folder`` is that of the rules file. Raises ``ReportError`` for a baseline."""
    found = []
    figures = list(report.figures())
    for rule in rules.rules:
        matching = [(name, rule.number_of(one)) for name, one in figures if fnmatchcase(name, rule.figure)]
        judged = [(name, number) for name, number in matching if number is not None]
        if not judged and rule.missing == "fail":
            found.append(Broken(rule.figure, f"no figure of that name has a {rule.judged} to judge"))
        found += [Broken(name, _why(rule, number)) for name, number in judged if not rule.kept_by(number)]
    if rules.baseline is not None:
        before = read_report(folder / rules.baseline)
        found += [
            Broken(one.id, f"worse than the baseline beyond both intervals ({one.change:+.4g})")
            for one in differences(before, report)
            if one.verdict == "worse"
        ]
    return found


def _why(rule: Rule, number: float) -> str:
    wanted = " and ".join(
        f"{words} {bound:g}" for words, bound in (("at least", rule.at_least), ("at most", rule.at_most))
        if bound is not None
    )  # fmt: skip
    what = "" if rule.judged == "value" else f" ({rule.judged} end of the interval)"
    return f"{number:g}{what}, wanted {wanted}"
