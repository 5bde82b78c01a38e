"""Whether the words that qualify a finding are borne out by it: its side, place, severity, time and how sure it sounds.

A word that the finding's label (or the known side of its region) puts otherwise contradicts; a word about which it
says nothing is not supported.
"""

import re
from functools import lru_cache

from guardrails.findings import Stance
from guardrails.judgement import Judgement, contradicted, unsupported
from guardrails.ledger import Ledger
from guardrails.rules import claim_rules, rule
from overread.records import Finding, label_words

OPPOSITES = {
    "left": "right", "right": "left", "upper": "lower", "lower": "upper", "superior": "inferior",
    "inferior": "superior", "anterior": "posterior", "posterior": "anterior", "medial": "lateral",
    "lateral": "medial", "proximal": "distal", "distal": "proximal", "central": "peripheral",
    "peripheral": "central", "bilateral": "left",
}  # fmt: skip
_SIDES = frozenset({"left", "right", "bilateral"})


def wrong_attribute(near: str, stance: Stance | None, finding: Finding, ledger: Ledger) -> Judgement | None:
    """What is wrong with the words ``near`` a finding, or ``None``. ``stance`` is what they say of it."""
    denied = stance == "absent"
    return (
        _certainty(near, stance, finding)
        or _site(near, finding, ledger, denied)
        or (None if denied else _severity(near, finding))
        or (None if denied else _time(near, finding))
    )


def sides_in(text: str) -> set[str]:
    """The words of side and place in a text, in one form each: "both sides" is "bilateral"."""
    found = (word.lower() for word in rule("site").findall(rule("no_site").sub(" ", text)))
    return {_site_form(word) for word in found}


def _site(near: str, finding: Finding, ledger: Ledger, denied: bool) -> Judgement | None:
    said = sides_in(near)
    known = sides_in(f"{label_words(finding.label)} {ledger.sides.get(finding.id, '')}")
    for word in sorted(said - known):
        if (word in _SIDES and known & _SIDES) or OPPOSITES.get(word) in known:
            return contradicted("laterality")
        if not denied:
            return unsupported("site")
    more = not denied and rule("site_more").search(near)
    return unsupported("site") if more else None


def _severity(near: str, finding: Finding) -> Judgement | None:
    if rule("graded").search(near) and not rule("graded").search(label_words(finding.label)):
        return unsupported("severity")
    said, known = ({word.lower() for word in rule("severity").findall(text)} for text in (near, finding.label))
    ranks = {_ranks().get(word) for word in known} - {None}
    for word in sorted(said - known):
        rank = _ranks().get(word)
        if ranks and rank is not None and rank not in ranks:
            return contradicted("severity")
        if rank is None or rank not in ranks:
            return unsupported("severity")
    return None


def _time(near: str, finding: Finding) -> Judgement | None:
    said = {word.lower() for word in rule("time").findall(near)} - set(label_words(finding.label).split())
    return unsupported("time") if said else None


def _certainty(near: str, stance: Stance | None, finding: Finding) -> Judgement | None:
    """Whether a sentence sounds as sure as the finding's probability lets it."""
    if stance is None:
        return None
    if stance == "undecided":
        open_ = finding.decision == "indeterminate" or finding.probability is None
        return None if open_ else contradicted("certainty")
    near = rule("soft_denial").sub(" ", near)
    sure = finding.probability
    if sure is not None and stance == "absent":
        sure = 1 - sure
    for pattern, least in _bands():
        if pattern.search(near) and (sure is None or sure < least):
            return contradicted("certainty")
    if finding.decision == "indeterminate" and (
        not rule("possible").search(near) or rule("likely").search(near) or stance == "absent"
    ):
        return contradicted("certainty")
    return None


@lru_cache(maxsize=256)
def _site_form(word: str) -> str:
    form = re.sub(r"(?<=[a-z]{5})ly$|ward$", "", word)
    return "bilateral" if form in ("both sides", "either side") else form


@lru_cache(maxsize=1)
def _ranks() -> dict[str, int]:
    return {word: rank for rank, words in enumerate(claim_rules()["ranks"]) for word in words.split()}


@lru_cache(maxsize=1)
def _bands() -> tuple[tuple[re.Pattern[str], float], ...]:
    """The words that sound sure, with the least probability they need."""
    return tuple((re.compile(text, re.IGNORECASE), float(least)) for text, least in claim_rules()["certainty"])
