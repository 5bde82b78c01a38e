"""Takes the force out of text that gives orders: the sentences that are flagged go, the rest stays as it is.

Questions, headers, OCR and passages are data. Orders hide in the company of harmless sentences, so sentences are
looked at by themselves too.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from guardrails.injection import Flag, Origin, check_texts, disarm_rule, fragment_rule, shows_pattern
from guardrails.sentences import split_sentences

MOST_KEPT = 4096
"""Passages whose outcome is remembered by the process."""


@dataclass(frozen=True)
class Disarmed:
    """What may be handed on of a text, and how many sentences were taken out of it. ``text`` may be empty."""

    text: str
    removed: int = 0


def disarm(texts: Sequence[str], origin: Origin) -> list[Disarmed]:
    """Each text without the sentences that give orders, in order.

    Where no sentence gives one by itself, or what is left still does, nothing of the text is handed on. The
    sentences of a question are always looked at, those of other texts only when the whole was flagged.
    """
    cut = [split_sentences(text) if text.strip() else [] for text in texts]
    always = origin == "question"
    several = [part for parts in cut if always and len(parts) > 1 for part in parts]
    both = _flags([*texts, *several], origin)
    flags, alone = both[: len(texts)], both[len(texts) :]
    looked_at = [len(parts) > 1 and (flag or always) for parts, flag in zip(cut, flags, strict=True)]
    if not always:
        alone = _flags([part for parts, look in zip(cut, looked_at, strict=True) if look for part in parts], origin)
    each = iter(alone)
    kept = [
        [part for part in parts if not next(each)] if look else [] if flag else parts
        for parts, look, flag in zip(cut, looked_at, flags, strict=True)
    ]
    touched = [n for n, parts in enumerate(kept) if flags[n] or len(parts) < len(cut[n])]
    rests = {n: "".join(kept[n]).strip() for n in touched if 0 < len(kept[n]) < len(cut[n])}
    again = dict(zip(rests, _flags(list(rests.values()), origin), strict=True))
    out = [Disarmed(text) for text in texts]
    for n in touched:
        left = n in rests and not again[n]
        out[n] = Disarmed(rests[n], len(cut[n]) - len(kept[n])) if left else Disarmed("", max(len(cut[n]), 1))
    return out


def disarms(text: str, flag: Flag) -> bool:
    """Whether a run takes a text with this flag for an order: of short texts without a pattern the score is unsure."""
    words, sure = disarm_rule()
    return flag.score >= sure or (flag.flagged and (len(text.split()) >= words or shows_pattern(text)))


def _flags(texts: Sequence[str], origin: Origin) -> list[bool]:
    flags = check_texts(texts, [origin] * len(texts))
    return [disarms(text, flag) for text, flag in zip(texts, flags, strict=True)]


def gives_orders(fragments: Sequence[str], origin: Origin) -> bool:
    """Whether any of a few fragments, such as the values of a header, tells the machine what to do."""
    words, sure = fragment_rule()
    texts = [text for text in dict.fromkeys(fragments) if len(text.split()) >= words]
    flags = check_texts(texts, [origin] * len(texts))
    return any(
        flag.score >= sure or (flag.flagged and shows_pattern(text)) for text, flag in zip(texts, flags, strict=True)
    )


class Passages:
    """Disarms passages, each text once a process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Disarmed] = OrderedDict()

    def disarm(self, texts: Sequence[str]) -> list[Disarmed]:
        """As ``disarm`` for documents; texts that were seen before cost nothing."""
        with self._lock:
            found = {text: self._known[text] for text in texts if text in self._known}
        new = [text for text in dict.fromkeys(texts) if text not in found]
        found |= dict(zip(new, disarm(new, "document"), strict=True)) if new else {}
        with self._lock:
            for text in texts:
                self._known[text] = found[text]
                self._known.move_to_end(text)
            while len(self._known) > MOST_KEPT:
                self._known.popitem(last=False)
        return [found[text] for text in texts]
