"""Whether a sentence says of a study, of a request and of what was looked for what is so.

These are the sentences of a report that no finding carries: how the image was made, what the request says, and what no
tool looked for.
"""

import re

from guardrails.findings import mentioned, same_finding
from guardrails.judgement import Judgement, contradicted, unsupported
from guardrails.ledger import Ledger
from guardrails.quotation import loose
from guardrails.rules import rule

_COUNTS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def judge_of_request(raw: str, ledger: Ledger) -> Judgement | None:
    """The judgement on a sentence that quotes the request, or ``None`` for any other sentence.

    What is quoted is the asker's word, so it can be verbatim or wrong, but never supported.
    """
    match = rule("request_said").fullmatch(raw)
    if match is None:
        return None
    quoted = loose(match[1])
    if quoted and f" {quoted} " in f" {loose(ledger.asked)} ":
        return Judgement("not_checkable", ("request",))
    return unsupported("request")


def wrong_about_coverage(text: str, ledger: Ledger) -> Judgement | None:
    """What is wrong with a sentence that says no tool looked for a finding, or ``None``: one did.

    Of several images the sentence does not tell which, so only those of one image are judged.
    """
    images = [one for one in ledger.domains if one not in ledger.earlier]
    if len(images) != 1 or not rule("not_looked_for").search(text):
        return None
    here = [finding.label for id, finding in ledger.findings.items() if id not in ledger.earlier]  # noqa: A001
    looked = any(same_finding(term, label) for term in mentioned(text) for label in here)
    return contradicted("coverage") if looked else None


def wrong_about_study(said: str, ids: tuple[str, ...], ledger: Ledger) -> Judgement | None:
    """What is wrong with a sentence that cites an image and nothing else, or ``None``.

    It may call nothing unknown that the study record tells, nor count the images otherwise.
    """
    facts = [ledger.studies[one] for one in ids if one in ledger.studies]
    if not facts or len(facts) != len(ids):
        return None
    for name in {name for known in facts for name in known}:
        says_unknown = re.search(
            rf"\b{re.escape(name)}\b[^,;.]*\b(?:not|unknown|missing|nowhere)\b", said, re.IGNORECASE
        )
        if says_unknown and all(known.get(name) for known in facts):
            return contradicted("study")
    counted = re.search(rf"\b({'|'.join(_COUNTS)}|\d{{1,5}}) (?:images?|pictures?)\b", said, re.IGNORECASE)
    if counted and all(known.get("images") for known in facts):
        said_count = counted[1].lower()
        number = str(_COUNTS.index(said_count) + 1) if said_count in _COUNTS else said_count
        if not any(known["images"].split()[0] == number for known in facts):
            return contradicted("number")
    return None


def without_unknowns(text: str, ids: tuple[str, ...], ledger: Ledger) -> str:
    """A sentence without its "is not known" of what the study records of all cited images leave open, and what follows.

    Saying so denies nothing; of anything else it stays, to be judged as a denial.
    """
    facts = [ledger.studies[one] for one in ids if one in ledger.studies]
    if not facts or len(facts) != len(ids):
        return text
    for name in facts[0]:
        if not any(known.get(name) for known in facts):
            unknown = (
                rf"\b{re.escape(name)}\b(?: of (?:this|the) image| of image \d{{1,3}})? {rule('unknown_said').pattern}"
            )
            text = re.sub(unknown, " ", text, flags=re.IGNORECASE)
    return text
