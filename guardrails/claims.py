"""Checks one sentence of an answer against the evidence it cites.

The checks read structure, not meaning: which ids are cited, whether they can carry such a sentence, whether
its polarity, numbers, quotation and time agree with the records behind them. The names of the checks that decided
stand in the claim. A sentence without evidence passes only as one of the connective texts of ``data/claims.yaml``.
"""

import re
from dataclasses import dataclass

from guardrails.comparison import wrong_about_change
from guardrails.findings import mentioned, polarity, same_finding, stands_alone
from guardrails.ledger import Ledger, cited_ids, without_citations
from guardrails.neighbours import wrong_about_cases
from guardrails.numbers import numbers_agree
from guardrails.phi.folding import fold
from guardrails.rules import rule, rule_list
from overread.records import Claim, Finding, Verdict


@dataclass(frozen=True)
class Judgement:
    """A verdict and the check that gave it, or with ``supported`` all the checks that held."""

    verdict: Verdict
    checks: tuple[str, ...]


def check_claim(claim_id: str, text: str, ledger: Ledger, raw: str | None = None) -> Claim:
    """The claim a sentence makes, judged. ``raw`` is the sentence before redaction, for quotations."""
    ids = cited_ids(text)
    judged = _judge(_plain(text), _plain(raw if raw is not None else text), ids, ledger)
    return Claim(claim_id=claim_id, text=text, verdict=judged.verdict, evidence=ids, checks=judged.checks)


def _judge(text: str, raw: str, ids: tuple[str, ...], ledger: Ledger) -> Judgement:
    compares = _speaks_of_prior(text)
    if compares and not ledger.changes:
        return Judgement("unsupported", ("no_prior",))
    if not ids:
        if is_connective(text):
            return Judgement("not_checkable", ("connective",))
        return Judgement("unsupported", ("evidence_id",))
    if not all(ledger.knows(one) for one in ids):
        return Judgement("unsupported", ("known_id",))
    said = without_citations(text)
    wrong = _against_prior(said, compares, ids, ledger)
    if wrong is not None:
        return wrong
    image = tuple(one for one in ids if ledger.is_image(one))
    checks = ["evidence_id", "known_id"]
    if not image:
        if _is_quoted(raw, ids, ledger):
            return Judgement("supported", (*checks, "verbatim"))
        if about_image(said):
            return Judgement("unsupported", ("image_needs_tool",))
        failed = _against_passages(said, without_citations(raw), ids, ledger)
        return failed or Judgement("supported", (*checks, "passage"))
    failed = _against_tools(said, ids, ledger)
    return failed or Judgement("supported", (*checks, "tool_evidence"))


def _against_tools(said: str, ids: tuple[str, ...], ledger: Ledger) -> Judgement | None:
    """What is wrong with a sentence that cites a tool, or ``None``."""
    for title in ledger.titles:
        said = said.replace(title, "the model")
    findings = [ledger.findings[one] for one in ids if one in ledger.findings]
    passages = " ".join(ledger.passages[one].text for one in ids if one in ledger.passages).lower()
    others = " ".join(
        [ledger.cases[one].label for one in ids if one in ledger.cases]
        + [ledger.domains[one][0] for one in ids if one in ledger.domains]
        + [ledger.measurements[one].name for one in ids if one in ledger.measurements]
    ).lower()
    for finding in findings:
        wrong = _polarity_against(said, finding)
        if wrong is not None:
            return wrong
    cases = [ledger.cases[one] for one in ids if one in ledger.cases]
    labels = [finding.label for finding in findings] + [case.label for case in cases]
    for term in mentioned(said):
        if any(same_finding(term, label) for label in labels) or term in passages or term in others:
            continue
        if not ledger.is_opaque(ids):
            return Judgement("unsupported", ("finding_match",))
    if findings and not passages and not ledger.is_opaque(ids):
        known = " ".join(finding.label for finding in findings).lower() + " " + others
        regions = any(finding.region is not None for finding in findings)
        if not regions and _beyond("site", said, known):
            return Judgement("unsupported", ("site",))
        if _beyond("severity", said, known):
            return Judgement("unsupported", ("severity",))
    failed = wrong_about_cases(said, cases, alone=len(cases) == len(ids)) if cases else None
    if failed is not None:
        return Judgement("contradicted" if failed == "case_count" else "unsupported", (failed,))
    if not numbers_agree(said, ids, ledger):
        return Judgement("contradicted", ("number",))
    return None


def _against_prior(said: str, compares: bool, ids: tuple[str, ...], ledger: Ledger) -> Judgement | None:
    """What is wrong with how a sentence uses an earlier image, or ``None``."""
    earlier = [one for one in ids if one in ledger.earlier]
    if ledger.earlier and bool(earlier) != bool(rule("earlier_said").search(said)) and not _of_passages(ids, ledger):
        return Judgement("unsupported", ("earlier",))
    if compares or (earlier and len(earlier) < len(ids)):
        failed = wrong_about_change(said, ids, ledger)
        if failed is not None:
            return Judgement("contradicted" if failed == "direction" else "unsupported", (failed,))
    return None


def _of_passages(ids: tuple[str, ...], ledger: Ledger) -> bool:
    return all(one in ledger.passages for one in ids)


def _polarity_against(said: str, finding: Finding) -> Judgement | None:
    stance = polarity(said, finding.label)
    if stance is None:
        return None
    if finding.decision == "indeterminate" and stance in ("present", "absent"):
        return Judgement("contradicted", ("certainty",))
    if finding.decision != "indeterminate" and {stance, finding.decision} == {"present", "absent"}:
        return Judgement("contradicted", ("polarity",))
    return None


def _against_passages(said: str, raw: str, ids: tuple[str, ...], ledger: Ledger) -> Judgement | None:
    """What is wrong with a sentence that cites only passages, or ``None``."""
    texts = [ledger.passages[one].text for one in ids]
    whole = [_loose(text) for text in texts]
    for quote in re.findall(r'"([^"]{3,})"|“([^”]{3,})”', raw):
        if not any(_loose(quote[0] or quote[1]) in text for text in whole):
            return Judgement("contradicted", ("verbatim",))
    if not numbers_agree(said, ids, ledger):
        return Judgement("contradicted", ("number",))
    if not stands_alone(said, " ".join(texts)):
        return Judgement("unsupported", ("passage",))
    return None


def _is_quoted(raw: str, ids: tuple[str, ...], ledger: Ledger) -> bool:
    """Whether a whole sentence of four words or more stands in one of the passages it cites."""
    said = _loose(without_citations(raw))
    return said.count(" ") >= 3 and any(f" {said} " in f" {_loose(ledger.passages[one].text)} " for one in ids)


def _loose(text: str) -> str:
    """Letters and digits alone, for comparing a quotation with its source."""
    return " ".join(re.findall(r"[^\W_]+", fold(text).text.lower()))


def _plain(text: str) -> str:
    return re.sub(
        r"\s+", " ", re.sub(r"^\s*(?:[-*•>#]+|\d{1,2}[.)])\s+|[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}", "", text)
    ).strip()


def is_connective(text: str) -> bool:
    """Whether a sentence asserts nothing clinical: the whole of it is one of the known framing texts."""
    bare = re.sub(r"^[#>*\s-]+|[\s*:.!]+$", "", fold(text).text)
    return len(bare) <= 240 and (not bare or any(pattern.fullmatch(bare) for pattern in rule_list("connective")))


def about_image(text: str) -> bool:
    """Whether a sentence speaks of this image or this patient, and not of such images in general."""
    if not any(pattern.search(text) for pattern in rule_list("about_image")):
        return False
    specific = re.search(r"\b(?:this|your|his|her)\b|\bthe patient\b|^there\b", text, re.IGNORECASE)
    return bool(specific) or not any(pattern.search(text) for pattern in rule_list("general"))


def _speaks_of_prior(text: str) -> bool:
    if not any(pattern.search(text) for pattern in rule_list("prior")):
        return False
    said = without_citations(text)
    return not (is_connective(said) and rule("no_prior_said").search(said))


def _beyond(name: str, said: str, known: str) -> bool:
    """Whether a sentence has a word of a list that its evidence does not have."""
    return any(word.lower() not in known for word in rule(name).findall(said))
