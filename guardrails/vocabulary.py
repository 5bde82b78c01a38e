"""Which words of a sentence stand neither in its evidence nor among those that only frame a statement.

A disease, a cause or a cure that no list knows is caught here: a word is let through because it is known to be
harmless, never because it is unknown. The lists are ``data/framing.yaml``, words by what they do in a report,
and ``data/vocabulary.yaml``.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import takewhile
from typing import Any

from guardrails.findings import content_stems, stem
from overread.packaged import packaged_yaml

_WORD = re.compile(r"[^\W\d_²³]+")
_ENDINGS = (
    ("s", ""), ("es", ""), ("ies", "y"), ("ed", ""), ("ed", "e"), ("ied", "y"), ("ing", ""), ("ing", "e"), ("ly", ""),
    ("ally", ""), ("bly", "ble"), ("ily", "y"),
)  # fmt: skip
KIN = 0.65
"""The share of the longer of two kindred words that both begin with."""
_MARKER = re.compile(r"\[[A-Z_]+\]")


def foreign_words(said: str, evidence: str, images: Iterable[str], lists: Iterable[str] = ()) -> list[str]:
    """The words of a sentence that its evidence does not carry, in order.

    ``images`` are the words of the run's images ("chest X-ray"), which allow words for their kind and part of the
    body; ``lists`` names further lists whose words are allowed: "comparison" and "counts".
    """
    there = {*_words(evidence)}
    known = _stems(there) | _framing() | _of_images(tuple(images))
    for name in lists:
        known |= _list(name)
    return [
        word
        for word in _words(_phrases().sub(" ", said))
        if not (_forms(word) & known or _lemmas(word) & _base_words() or word in _exact() or _synonym(word, there))
    ]


def foreign_to_passage(said: str, passage: str) -> list[str]:
    """The words of a sentence that are neither in the passage, nor kin or a synonym of one there, nor mere framing."""
    there = {*_words(passage)}
    known = _stems(there) | _framing_of_text()
    bases = {lemma for word in there for lemma in _lemmas(word)} | _paraphrase()
    return [
        word
        for word in _words(said)
        if not (_forms(word) & known or _lemmas(word) & bases or _synonym(word, there) or _kin(word, there))
    ]


def _kin(word: str, there: set[str]) -> bool:
    """Whether a word begins like one of the others and differs in its ending alone: "infected" and "infection"."""
    return any(_begins_alike(word, one) >= max(5, KIN * max(len(word), len(one))) for one in there)


def _begins_alike(one: str, other: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def shared_stems(said: str, passage: str) -> tuple[int, int]:
    """How many of a sentence's content stems stand in a passage, and how many it has. Synonyms count."""
    there = {*_words(passage)}
    known = _stems(there)
    words = [word for word in _words(said) if content_stems(word) and stem(word) not in _framing_of_text()]
    return sum(bool(_forms(word) & known or _synonym(word, there)) for word in words), len(words)


def _words(text: str) -> list[str]:
    """The words of a text in lower case, in order, each once; a hyphen parts them. Single letters count as words."""
    bare = _MARKER.sub(" ", text).lower()
    for written, meant in (("x-ray", "xray"), ("can't", "can not"), ("won't", "will not"), ("n't", " not")):
        bare = bare.replace(written, meant)
    bare = re.sub(r"['’](?:s|d|ll|m|ve|re)\b", "", bare)
    return list(dict.fromkeys(_WORD.findall(bare)))


def _synonym(word: str, there: set[str]) -> bool:
    return any(group & there for group in _synonyms().get(stem(word), ()))


def _stems(words: Iterable[str]) -> set[str]:
    return {form for word in words for form in _forms(word)}


@lru_cache(maxsize=8192)
def _forms(word: str) -> frozenset[str]:
    """A word, its stem, and itself without a plural's s."""
    return frozenset({word, stem(word), word.removesuffix("s") if len(word) > 3 else word})


@lru_cache(maxsize=8192)
def _lemmas(word: str) -> frozenset[str]:
    """What a word may be an inflected form of: "identifies" of "identify", "plotted" of "plot"."""
    word = re.sub(r"z(?=e$|es$|ed$|ing$|ation)", "s", word)
    out = {word}
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 2:
            base = word.removesuffix(ending) + instead
            out |= {base, base[:-1] if base[-2:-1] == base[-1:] else base}
    return frozenset(out)


@lru_cache(maxsize=64)
def _of_images(images: tuple[str, ...]) -> frozenset[str]:
    """What words for the kind and the part of the body the run's images allow."""
    words = {word for text in images for word in _words(text)}
    groups = [set(_words(group)) for group in _lists()["modalities"]]
    allowed = {word for group in groups if group & words for word in group}
    for first, second, organs in _lists()["organs"]:
        if {first, second} & words:
            allowed |= {word for text in organs for word in _words(text)}
    return frozenset(_stems(allowed | words))


@lru_cache(maxsize=1)
def _framing() -> frozenset[str]:
    lists = _lists()
    words = {word for name in ("framing", "more_framing", "stop") for word in _words(lists[name])}
    return frozenset(_stems(words) - _stems(_words(lists["never"])))


@lru_cache(maxsize=1)
def _base_words() -> frozenset[str]:
    """The words of ``data/framing.yaml`` as they stand, but for those that size, count, judge or direct."""
    return _grouped("exact", "phrases")


def _grouped(*left_out: str) -> frozenset[str]:
    groups = (words for name, words in _report_words().items() if name not in left_out)
    return frozenset(_words(" ".join(groups))) - frozenset(_words(_lists()["never"]))


@lru_cache(maxsize=1)
def _paraphrase() -> frozenset[str]:
    """The words a paraphrase may add, and those of ``data/framing.yaml`` but for talk."""
    return frozenset(_words(_lists()["paraphrase"])) | _grouped("exact", "phrases", "talk")


@lru_cache(maxsize=1)
def _exact() -> frozenset[str]:
    return frozenset(_words(_report_words()["exact"]))


@lru_cache(maxsize=1)
def _phrases() -> re.Pattern[str]:
    """Whole phrases that frame a statement, of words that alone might not."""
    return re.compile("|".join(rf"\b{one.strip()}\b" for one in _report_words()["phrases"].split(" | ")), re.IGNORECASE)


@lru_cache(maxsize=1)
def _framing_of_text() -> frozenset[str]:
    words = {word for name in ("framing", "stop") for word in _words(_lists()[name])}
    return frozenset(_stems(words) & _framing() - _stems(_words(_lists()["not_of_text"])))


@lru_cache(maxsize=4)
def _list(name: str) -> frozenset[str]:
    return frozenset(_stems(_words(_lists()[name])))


@lru_cache(maxsize=1)
def _synonyms() -> dict[str, list[frozenset[str]]]:
    out: dict[str, list[frozenset[str]]] = {}
    for line in _lists()["synonyms"]:
        group = frozenset(_words(line))
        for word in group:
            out.setdefault(stem(word), []).append(group)
    return out


@lru_cache(maxsize=1)
def _report_words() -> dict[str, str]:
    return dict(packaged_yaml("guardrails", "data/framing.yaml"))


@lru_cache(maxsize=1)
def _lists() -> dict[str, Any]:
    return dict(packaged_yaml("guardrails", "data/vocabulary.yaml"))
