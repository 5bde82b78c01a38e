"""What a sentence says of findings: which it names, and whether it says present, absent or undecided.

A small cousin of NegEx (Chapman et al., 2001): cues before and behind a term, within its clause.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from guardrails.rules import claim_rules, rule
from overread.records import label_words, says_absence

_NAME = re.compile(
    r"(?:[ -](?!(?:if|in|on|at|by|as|to|of|for|from|with|the|an?|this|that|which|is|was|are|were|has|had|and|or|but|"
    r"when|where|while|because|since|so|not|no|according)\b)\w+){1,3}",
    re.IGNORECASE,
)
"""The words behind a finding that can be one name with it."""

Stance = Literal["present", "absent", "undecided"]


def mentioned(said: str) -> list[str]:
    """The findings of the list that a sentence names, by their first name, in order."""
    names = dict(_terms())
    found = (match for match in _any_term().finditer(said.lower()) if not _names_a_model(said, match.end()))
    return list(dict.fromkeys(names[match[0]] for match in found))


def mentions_in(said: str, labels: Iterable[str] = ()) -> list[tuple[int, int, str]]:
    """Where a sentence in lower case names findings: start, end and first name, of the list's or of ``labels``."""
    names = {**{label: label for label in labels if label}, **dict(_terms())}
    wanted = sorted(names, key=len, reverse=True)
    pattern = re.compile(rf"(?<![\w-])(?:{'|'.join(re.escape(form) for form in wanted)})(?![\w])")
    found = (match for match in pattern.finditer(said) if not _names_a_model(said, match.end()))
    return [(match.start(), match.end(), names[match[0]]) for match in found]


def core(label: str) -> str:
    """A label without the words of side, place and severity in front of its finding: "moderate left effusion"."""
    words = label_words(label)
    severity = rule("severity").pattern
    bare = re.sub(rf"^(?:(?:\b(?:left|right|bilateral|upper|lower)\b|{severity})\s+)+", "", words)
    return bare.strip() or words


def same_finding(term: str, label: str) -> bool:
    """Whether a label of a tool covers a term: "bacterial pneumonia" covers "pneumonia"."""
    words = label_words(label)
    return any(re.search(rf"\b{re.escape(form)}\b", words) for form in _forms(term))


def polarity(said: str, label: str) -> Stance | None:
    """What a sentence says of a label, or ``None`` when it only mentions it or does not name it.

    A label such as "no tumour" is present where the sentence says that the tumour is absent.
    """
    text = said.lower()
    words = label_words(label)
    if says_absence(label):
        return turned(polarity(said, dict(_terms()).get(words[3:], words[3:])))
    for form in sorted({words, *_forms_in(words)}, key=len, reverse=True):
        match = re.search(rf"\b{re.escape(form)}\b", text)
        if match is None or _names_a_model(said, match.end()):
            continue
        before, after = _clause(text, match.start(), match.end())
        if rule("hedge").search(f"{before} {after}"):
            return "undecided"
        if rule("negation").search(rule("no_negation").sub(" ", before)) or rule("negation_after").search(after):
            return "absent"
        if rule("neutral").search(before) and not rule("assertion").search(before):
            return None
        return "present"
    return None


def turned(stance: Stance | None) -> Stance | None:
    """What is said of "no tumour" by what is said of the tumour."""
    if stance == "present":
        return "absent"
    return "present" if stance == "absent" else stance


def stands_alone(said: str, passage: str, least: float = 0.5) -> bool:
    """Whether enough of a sentence's content words are in the passage it cites for it to be drawn from there."""
    words = [stem(word) for word in re.findall(r"[a-z][a-z-]{2,}", said.lower()) if word not in _stop_words()]
    if not words:
        return False
    there = {stem(word) for word in re.findall(r"[a-z][a-z-]{2,}", passage.lower())}
    return sum(word in there for word in words) >= least * len(words)


def content_stems(text: str) -> list[str]:
    """The stems of a text's words and numbers in order, without the words that carry no content."""
    words = (word for word in re.findall(r"[a-z0-9][a-z0-9.-]*[a-z0-9]|[a-z0-9]", text.lower()))
    return [stem(word) for word in words if word not in _stop_words()]


def stem(word: str) -> str:
    """A word without its ending, crudely: "nodules" and "nodule" give the same."""
    return re.sub(r"(?:ations?|ings?|ies|ed|es|s|ly|y|e)$", "", word) if len(word) > 4 else word


def _clause(text: str, start: int, end: int) -> tuple[str, str]:
    before = re.split(r"[;.!?]|\bbut\b|\bhowever\b|\balthough\b", text[:start])[-1]
    after = re.split(r"[;.!?]|\bbut\b|\bhowever\b|\balthough\b|\band\b", text[end:])[0]
    return before, after


def _names_a_model(said: str, end: int) -> bool:
    """Whether the term that ends there is part of a model's name, as in "pneumonia classifier"."""
    following = _NAME.match(said, end)
    return following is not None and rule("model_words").search(following[0]) is not None


def _forms_in(words: str) -> list[str]:
    """All forms of the findings that a label names."""
    return [form for form, name in _terms() if re.search(rf"\b{re.escape(name)}\b", words)]


def _forms(term: str) -> list[str]:
    return [form for form, name in _terms() if name == term]


@lru_cache(maxsize=1)
def _terms() -> tuple[tuple[str, str], ...]:
    """Every form of every finding with its first name, longest form first."""
    out = []
    for entry in claim_rules()["findings"].split(";"):
        forms = [" ".join(form.split()) for form in entry.split("|")]
        out += [(form, forms[0]) for form in forms if form]
    return tuple(sorted(out, key=lambda pair: -len(pair[0])))


@lru_cache(maxsize=1)
def _any_term() -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(re.escape(form) for form, _ in _terms())})\b")


@lru_cache(maxsize=1)
def _stop_words() -> frozenset[str]:
    return frozenset(str(claim_rules()["stop_words"]).split())
