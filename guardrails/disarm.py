"""Takes the force out of text that gives orders: the sentences that are flagged go, the rest stays as it is.

Questions, headers, OCR and passages are data. A text that is not flagged as a whole is left alone, so that an odd
question costs nothing; in a flagged one every sentence is looked at by itself.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from guardrails.injection import Origin, check_texts, fragment_rule, shows_pattern
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

    Where no sentence gives one by itself, or what is left still does, nothing of the text is handed on.
    """
    flags = check_texts(texts, [origin] * len(texts))
    cut = {n: split_sentences(texts[n]) for n, flag in enumerate(flags) if flag.flagged}
    sentences = [sentence for parts in cut.values() for sentence in parts]
    each = iter(check_texts(sentences, [origin] * len(sentences)))
    kept = {n: [part for part in parts if not next(each).flagged] for n, parts in cut.items()}
    partly = [n for n, parts in kept.items() if 0 < len(parts) < len(cut[n])]
    rests = ["".join(kept[n]).strip() for n in partly]
    again = check_texts(rests, [origin] * len(rests))
    left = {n: rest for n, rest, flag in zip(partly, rests, again, strict=True) if not flag.flagged}
    return [
        Disarmed(left.get(n, ""), len(cut[n]) - (len(kept[n]) if n in left else 0)) if n in cut else Disarmed(text)
        for n, text in enumerate(texts)
    ]


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
