"""Whether a passage says what a sentence draws from it.

A whole sentence that stands there passes as it is. A paraphrase passes when every word of it is the passage's, a
synonym or mere framing, most of it lies within two neighbouring sentences, its numbers have their units, and it
denies what the passage denies and nothing else.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from guardrails.findings import content_stems, stem
from guardrails.judgement import Judgement, contradicted, unsupported
from guardrails.ledger import Ledger, without_citations
from guardrails.numbers import numbers_agree
from guardrails.phi.folding import fold
from guardrails.rules import rule
from guardrails.sentences import split_sentences
from guardrails.vocabulary import foreign_to_passage, shared_stems

_DENIAL = re.compile(r"\b(?:no|not|never|without|cannot|neither|nor|none|unlikely|rarely|hardly)\b|n't\b|(?<=\w)less\b")
_DENIED_VERB = re.compile(r"\b(?:do|does|did) not (needs?|have|has|requires?|shows?|causes?|gives?) ")
"""These deny what comes behind the verb: "do not need treatment" is "need no treatment"."""
_TURN = re.compile(r"\b(?:than|as|before|after|into|from|follows?|causes?)\b")
_LEAST = 2
"""A paraphrase shares at least so many content words with its passage."""


def wrong_quotation(said: str, raw: str, ids: Sequence[str], ledger: Ledger) -> Judgement | None:
    """What is wrong with a sentence (or a part of one) that cites only passages, or ``None``."""
    texts = [ledger.passages[one].text for one in ids]
    whole = [loose(text) for text in texts]
    for quote in re.findall(r'"([^"]{3,})"|“([^”]{3,})”', raw):
        if not any(loose(quote[0] or quote[1]) in text for text in whole):
            return contradicted("verbatim")
    if not numbers_agree(said, [tuple(ids)], ledger):
        return contradicted("number")
    passage = " ".join(texts)
    if rule("severity").search(said) and not _severities(said) <= _severities(passage):
        return unsupported("severity")
    if foreign_to_passage(said, passage):
        return unsupported("passage")
    near = _nearest(said, passage)
    if near is None:
        return unsupported("passage")
    if _denied(said) & _plain_stems(near) or _denied(near) & _plain_stems(said):
        return contradicted("polarity")
    return contradicted("order") if _turned(said, near) else None


def is_quoted(raw: str, ids: Sequence[str], ledger: Ledger) -> bool:
    """Whether a whole sentence of four words or more stands in one of the passages it cites."""
    said = loose(without_citations(raw))
    return said.count(" ") >= 3 and any(f" {said} " in f" {loose(ledger.passages[one].text)} " for one in ids)


def loose(text: str) -> str:
    """Letters and digits alone, for comparing a quotation with its source."""
    return " ".join(re.findall(r"[^\W_]+", fold(text).text.lower()))


def _nearest(said: str, passage: str, least: float = 0.7) -> str | None:
    """The two neighbouring sentences of a passage that hold most of a sentence, or ``None`` when none holds enough."""
    sentences = [sentence.strip() for sentence in split_sentences(passage)]
    windows = [*sentences, *(f"{a} {b}" for a, b in pairwise(sentences))]
    best, window = 0, None
    for one in windows:
        shared, all_of = shared_stems(said, one)
        if shared > best and shared >= max(least * all_of, min(_LEAST, all_of)):
            best, window = shared, one
    return window if best >= _LEAST or (window and best) else None


def _severities(text: str) -> set[str]:
    return {stem(word.lower()) for word in rule("severity").findall(text)}


def _denied(text: str) -> set[str]:
    """The stems that a text denies: the content word behind each denial."""
    out = set()
    said = _DENIED_VERB.sub(r"\1 no ", text.lower())
    for match in _DENIAL.finditer(said):
        behind = [one for one in content_stems(said[match.end() :]) if not _DENIAL.fullmatch(one)]
        out.update(behind[:1])
    return out


def _plain_stems(text: str) -> set[str]:
    return set(content_stems(text)) - _denied(text)


def _turned(said: str, near: str) -> bool:
    """Whether a comparison or a sequence has its two sides exchanged."""
    for word in {match[0] for match in _TURN.finditer(said.lower())} & {m[0] for m in _TURN.finditer(near.lower())}:
        ours, theirs = (_halves(text.lower(), word) for text in (said, near))
        if ours[0] & theirs[1] and ours[1] & theirs[0]:
            return True
    return False


def _halves(text: str, word: str) -> tuple[set[str], set[str]]:
    before, _, after = text.rpartition(f" {word} ") if word == "as" else text.partition(f" {word} ")
    left, right = set(content_stems(before)), set(content_stems(after))
    return left - right, right - left
