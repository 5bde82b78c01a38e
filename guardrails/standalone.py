"""Claims checked by themselves, against strings of evidence: what ``overread check claims`` does.

Structure first: a number, a side, a severity or a polarity that the nearest sentences of the evidence put
differently contradicts, whatever the wording. What no rule decides is left to the entailment scorer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from guardrails.entailment import evidence_sentences, support
from guardrails.findings import content_stems, mentioned, polarity, same_finding
from guardrails.rules import rule, rule_list
from overread.records import Verdict

SUPPORTED_FROM = 0.5
"""The probability from which a claim counts as supported."""
CONTRADICTED_SCORE, UNFOUND_SCORE = 0.02, 0.2
"""The most a claim's probability can be when a rule contradicts it, or finds nothing behind a part of it."""
_NEAR = 0.5
"""A sentence speaks of the same thing when it holds this share of the claim's content words."""

_SIDES = {"left": "right", "right": "left", "upper": "lower", "lower": "upper", "anterior": "posterior",
          "posterior": "anterior", "medial": "lateral", "lateral": "medial"}  # fmt: skip
_QUANTITY = re.compile(
    r"(?<![\w.])(\d+(?:,\d{3})*(?:\.\d+)?)\s?(%|percent|mm|cm|ml|mg|mcg|kg|g|hu|days?|weeks?|months?|years?|hours?|minutes?)?(?![\w.]\w)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Checked:
    """The verdict on a claim, the probability that it is supported, and the names of the checks that decided."""

    verdict: Verdict
    score: float
    checks: tuple[str, ...]


def check_claims(claims: Sequence[tuple[str, Sequence[str]]]) -> list[Checked]:
    """A result for each claim with its evidence, in order."""
    scores = support(claims)
    return [judge(claim, evidence, float(score)) for (claim, evidence), score in zip(claims, scores, strict=True)]


def judge(claim: str, evidence: Sequence[str], score: float) -> Checked:
    """The result for one claim, given the scorer's probability for it."""
    sentences = evidence_sentences(evidence)
    if not sentences:
        return Checked("unsupported", 0.0, ("evidence",))
    said = " ".join(content_stems(claim))
    if (
        said.count(" ") >= 3
        and any(f" {said} " in f" {' '.join(content_stems(one))} " for one in sentences)
        and (_negations(claim) == min(_negations(one) for one in sentences if said in " ".join(content_stems(one))))
    ):
        return Checked("supported", max(score, 0.98), ("verbatim",))
    contradicted = says_otherwise(claim, _near(claim, sentences))
    if contradicted:
        return Checked("contradicted", min(score, CONTRADICTED_SCORE), contradicted)
    unfound = _unfound(claim, sentences)
    if unfound:
        return Checked("unsupported", min(score, UNFOUND_SCORE), unfound)
    return Checked("supported" if score >= SUPPORTED_FROM else "unsupported", score, ("entailment",))


def _near(claim: str, sentences: Sequence[str]) -> list[str]:
    """The sentences that speak of what the claim speaks of, the nearest first; at most three."""
    stems = set(content_stems(claim)) - {"no", "not"}
    shares = [(len(stems & set(content_stems(one))) / max(len(stems), 1), one) for one in sentences]
    return [one for share, one in sorted(shares, key=lambda pair: -pair[0])[:3] if share >= _NEAR]


def says_otherwise(claim: str, near: Sequence[str]) -> tuple[str, ...]:
    """The checks by which the nearest sentences say otherwise. One that agrees outweighs others that do not."""
    checks = {"polarity": _polarity, "laterality": _side, "severity": _severity, "number": _number}
    failed = []
    for name, agrees in checks.items():
        said = [agrees(claim, one) for one in near]
        if False in said and True not in said:
            failed.append(name)
    return tuple(failed)


def _polarity(claim: str, sentence: str) -> bool | None:
    """Whether a sentence has a finding of the claim with the same polarity; ``None`` when it does not tell."""
    for term in mentioned(claim):
        ours, theirs = polarity(claim, term), polarity(sentence, term)
        if {ours, theirs} == {"present", "absent"}:
            return False
        if ours is not None and ours == theirs:
            return True
    return None


def _side(claim: str, sentence: str) -> bool | None:
    """Whether a sentence puts it on the same side and height; one that differs decides."""
    agrees = None
    for side, other in _SIDES.items():
        if not _has(claim, side):
            continue
        if _has(sentence, side):
            agrees = True
        elif _has(sentence, other) and not _has(claim, other):
            return False
    return agrees


def _severity(claim: str, sentence: str) -> bool | None:
    ours, theirs = ({word.lower() for word in rule("severity").findall(text)} for text in (claim, sentence))
    if not ours or not theirs:
        return None
    return bool(ours & theirs)


def _number(claim: str, sentence: str) -> bool | None:
    """Whether every quantity with a unit in the claim stands in the sentence, where that has any of the unit."""
    ours, theirs = _quantities(claim), _quantities(sentence)
    shared = [(value, unit) for value, unit in ours if unit and any(unit == other for _, other in theirs)]
    return all(one in theirs for one in shared) if shared else None


def _unfound(claim: str, sentences: Sequence[str]) -> tuple[str, ...]:
    """The checks by which a part of the claim has nothing behind it in all of the evidence."""
    whole = " ".join(sentences)
    failed = []
    if any(pattern.search(claim) for pattern in rule_list("prior")) and not any(
        pattern.search(whole) for pattern in rule_list("prior")
    ):
        failed.append("no_prior")
    known = {value for value, _ in _quantities(whole)}
    if any(value not in known for value, _ in _quantities(claim)):
        failed.append("number")
    there = mentioned(whole)
    if any(term not in there and not same_finding(term, whole) for term in mentioned(claim)):
        failed.append("finding_match")
    return tuple(failed)


def _quantities(text: str) -> set[tuple[float, str]]:
    units = {"percent": "%"}
    return {
        (float(value.replace(",", "")), units.get(unit.lower(), unit.lower().rstrip("s")))
        for value, unit in _QUANTITY.findall(text)
    }


def _negations(text: str) -> int:
    return len(rule("negation").findall(text))


def _has(text: str, word: str) -> bool:
    return re.search(rf"\b{word}\b", text, re.IGNORECASE) is not None
