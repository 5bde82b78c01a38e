"""Which labels of a classifier cannot be ruled out, by the conformal sets of its card, and what follows of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import ValidationError

from guardrails.conformal import ConformalSets, LabelSet
from overread.cards import ModelCard
from overread.errors import CardError
from overread.records import Finding


@dataclass(frozen=True)
class Judged:
    """Findings after the sets had their say.

    ``hedged`` are the labels that cannot be told apart, likeliest first; ``reason`` says why none can be named.
    """

    findings: tuple[Finding, ...]
    hedged: tuple[str, ...] = ()
    reason: str | None = None


def judged(card: ModelCard, domain: str, findings: Sequence[Finding]) -> Judged:
    """The findings of one image, made no surer than the card's sets allow.

    A set of one label changes nothing but that no other may be present. Of several labels each is undecided; where the
    set is empty or too large, every label is. Cards without sets, and findings without a probability, are left alone.
    Raises ``CardError`` for sets that do not fit the card.
    """
    chances = {finding.label: finding.probability for finding in findings}
    sets = sets_of(card)
    if sets is None or any(chances.get(label) is None for label in sets.labels):
        return Judged(tuple(findings))
    found = sets.predict(np.array([chances[label] for label in sets.labels], np.float64), domain)
    return Judged(
        tuple(_made_no_surer(finding, found) for finding in findings),
        hedged=found.labels if found.outcome == "hedge" else (),
        reason=found.reason if found.outcome == "refuse" else None,
    )


def sets_of(card: ModelCard) -> ConformalSets | None:
    """The sets in a card, or ``None`` where it has none. Raises ``CardError``."""
    if not card.sets:
        return None
    try:
        sets = ConformalSets.model_validate(card.sets)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CardError(f"card {card.name}: sets.{where}: {first['msg']}") from None
    if sorted(sets.labels) != sorted(label.name for label in card.labels):
        raise CardError(f"card {card.name}: its sets must have the labels of the card")
    return sets


def _made_no_surer(finding: Finding, found: LabelSet) -> Finding:
    open_still = found.outcome == "refuse" or (finding.label in found.labels and found.outcome == "hedge")
    against = finding.decision == ("absent" if finding.label in found.labels else "present")
    if open_still or against:
        return finding.model_copy(update={"decision": "indeterminate", "region": None})
    return finding
