"""Which questions are refused before anything runs, and with what words.

The rules are data: ``data/refusals.yaml`` for what is asked, ``data/languages.yaml`` for the language it is
asked in. Asking for sources, and asking how something is treated in general, is always allowed.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from guardrails.phi.folding import fold
from overread.packaged import packaged_yaml
from overread.records import RefusalReason


@dataclass(frozen=True)
class Refusal:
    """Why a question is not answered, what is missing for an answer, and what to do next.

    ``language`` is the ISO 639-1 code the message is written in.
    """

    reason: RefusalReason
    message: str
    missing: str | None
    next_step: str | None
    language: str = "en"


def classify_question(text: str) -> Refusal | None:
    """Why a question must be refused, or ``None``.

    A harmful request is refused whatever else is asked. A dose or a treatment for this patient is refused
    when nothing else is asked with it; the rest of a mixed question can be answered from the evidence.
    """
    language = language_of(text)
    if language != "en":
        return _refusal("out_of_scope", _languages()["messages"][language], language)
    plain = re.sub(r"\s+", " ", fold(text).text).strip()
    if _any("unsafe_request", plain):
        return _refusal("unsafe_request", _texts()["messages"]["unsafe_request"])
    parts = [part for part in re.split(r"(?<=[?!;])\s|(?<=[.])\s(?=[A-Z])", plain) if re.search(r"\w", part)]
    asked = [part for part in parts if part.endswith("?") or _any("request", part)] or parts
    if asked and all(_out_of_scope(part) for part in asked):
        return _refusal("out_of_scope", _texts()["messages"]["treatment"])
    return None


def refuse_low_confidence(confidence: float | None, threshold: float) -> Refusal | None:
    """The refusal of an answer that is less sure than ``threshold``, or ``None``.

    ``confidence`` is that of ``guardrails.confidence.answer_confidence``; ``None`` asserts nothing and passes.
    """
    if confidence is None or confidence >= threshold:
        return None
    return _refusal("low_confidence", _texts()["messages"]["low_confidence"])


def language_of(text: str) -> str:
    """The language of a question as an ISO 639-1 code; ``en`` when nothing speaks for another one.

    By script where the script tells, else by the small words that only one language has. Medical Latin
    is in no list, so short clinical questions stay English.
    """
    letters = [char for char in text if char.isalpha()]
    scripts = [_script(char) for char in letters if not char.isascii()]
    for language, names in _languages()["scripts"].items():
        if sum(script in names for script in scripts) > 0.3 * len(letters):
            if language == "ru" and re.search("[іїєґ]", text.lower()):
                return "uk"
            return str(language)
    words = re.findall(r"[^\W\d_]+", text.lower())
    words = [word for word in words if len(word) > 1 or not word.isascii()]
    english = sum(word in _words("en") for word in words)
    foreign = [word for word in words if word not in _words("en")]
    scores = {language: sum(word in _words(language) for word in foreign) for language in _languages()["words"]}
    for language, marks in _languages()["marks"].items():
        scores[language] += sum(mark in text.lower() for mark in marks.split())
    best = max(scores, key=lambda language: scores[language])
    return best if scores[best] >= 2 and scores[best] > english else "en"


def _out_of_scope(part: str) -> bool:
    return _any("treatment", part) and not _any("allowed", part)


def _any(rule: str, text: str) -> bool:
    return any(pattern.search(text) for pattern in _patterns(rule))


def _refusal(reason: RefusalReason, words: dict[str, str], language: str = "en") -> Refusal:
    return Refusal(reason, words["message"], words.get("missing"), words.get("next_step"), language)


def _script(char: str) -> str:
    return unicodedata.name(char, "").split(" ")[0]


@lru_cache(maxsize=8)
def _patterns(rule: str) -> tuple[re.Pattern[str], ...]:
    texts = _texts()
    filled = (re.sub(r"<(\w+)>", lambda match: f"(?:{texts['parts'][match[1]]})", entry) for entry in texts[rule])
    return tuple(re.compile(entry, re.IGNORECASE) for entry in filled)


@lru_cache(maxsize=32)
def _words(language: str) -> frozenset[str]:
    return frozenset(_languages()["words"][language].split())


@lru_cache(maxsize=1)
def _texts() -> dict[str, Any]:
    return _yaml("refusals.yaml")


@lru_cache(maxsize=1)
def _languages() -> dict[str, Any]:
    return _yaml("languages.yaml")


def _yaml(name: str) -> dict[str, Any]:
    return dict(packaged_yaml("guardrails", f"data/{name}"))
