"""The one chokepoint: nothing leaves Overread but through it.

Text streams in and comes out sentence by sentence, in two stages. Identity is looked for in a sentence and
``HOLD_BACK`` characters on either side, so that no entity slips through where a sentence seems to end. Then
the claim the sentence makes is checked against its evidence. What is decided depends on the text alone and
not on how it was cut into chunks, so the stream always equals the offline result.
"""

import unicodedata
from collections import deque
from dataclasses import dataclass
from typing import Any

from guardrails.claims import check_claim
from guardrails.errors import DetectorError
from guardrails.ledger import Ledger
from guardrails.phi.folding import is_invisible
from guardrails.phi.identity import Identity
from guardrails.phi.spans import Span, merge
from guardrails.phi.text import TextDetector, redact
from guardrails.sentences import Sentences
from overread.records import Claim, WithheldReason

__all__ = ["HOLD_BACK", "Gate", "Ledger", "Released"]

HOLD_BACK = 96
"""How many characters behind a sentence must be there before it is looked at: more than the longest entity
that can span what looks like the end of a sentence."""

WITHHELD = "[WITHHELD]"
"""What stands for a whole text that could not be checked."""


@dataclass(frozen=True)
class Released:
    """What became of one sentence. ``text`` is empty when it was withheld.

    ``text`` begins with the white space that sets it off from what was released before it.
    ``redacted`` counts the stretches of identity that markers replaced in it.
    """

    text: str
    claim: Claim | None = None
    withheld: WithheldReason | None = None
    redacted: int = 0


class Gate:
    """Checks one stream of text. Not thread-safe; make one for each answer.

    ``identity`` is the run's exact-match list, ``ledger`` what may be cited, and ``detector`` finds
    identity that no list knows; without one, the process's shared detector is used.
    """

    def __init__(self, identity: Identity, ledger: Ledger, detector: TextDetector | None = None) -> None:
        self._identity = identity
        self._ledger = ledger
        self._detector = detector if detector is not None else TextDetector()
        self._sentences = Sentences(HOLD_BACK)
        self._waiting: deque[int] = deque()
        self._raw = ""
        self._start = 0
        self._gap: str | None = None
        self._claims = 0

    def feed(self, chunk: object) -> list[Released]:
        """Take a piece of text; give what is decided now. Anything but a string is withheld."""
        if not isinstance(chunk, str):
            return [Released("", withheld="error")]
        self._raw += chunk
        self._waiting.extend(len(sentence) for sentence in self._sentences.feed(chunk))
        return self._release(ended=False)

    def finish(self) -> list[Released]:
        """Give the rest; the gate is then ready for another text of the same run."""
        self._waiting.extend(len(sentence) for sentence in self._sentences.finish())
        released = self._release(ended=True)
        self._raw, self._start, self._gap = "", 0, None
        return released

    def offline(self, text: str) -> list[Released]:
        """What the stream gives for a text, whole."""
        return [*self.feed(text), *self.finish()]

    def fresh(self) -> "Gate":
        """A gate for another text of the same answer, with nothing of this one in it. Claims go on being numbered."""
        other = Gate(self._identity, self._ledger, self._detector)
        other._claims = self._claims
        return other

    def apart(self, text: str) -> list[Released]:
        """What becomes of a text that stands apart from the stream, whole. Claims go on being numbered."""
        other = self.fresh()
        released = other.offline(text)
        self._claims = other._claims
        return released

    def scrub(self, text: str) -> str:
        """Any other string without identity: an error, an argument, a log line, a file name. Never raises."""
        try:
            return _visible(redact(text, self._identity, self._detector).text)
        except DetectorError:
            return WITHHELD

    def scrub_value(self, value: Any) -> Any:
        """A JSON value with every string in it scrubbed, keys included. What is no JSON becomes a marker."""
        if isinstance(value, str):
            return self.scrub(value)
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, int):
            scrubbed = self.scrub(str(value)) if abs(value) > 99_999 else str(value)
            return value if scrubbed == str(value) else scrubbed
        if isinstance(value, dict):
            return {self.scrub(str(key)): self.scrub_value(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.scrub_value(one) for one in value]
        return WITHHELD

    def _release(self, ended: bool) -> list[Released]:
        out: list[Released] = []
        while self._waiting:
            end = self._start + self._waiting[0]
            if not ended and len(self._raw) < end + HOLD_BACK:
                break
            self._waiting.popleft()
            released = self._check(self._start, end)
            if released is not None:
                out.append(released)
            drop = max(0, end - HOLD_BACK)
            self._raw, self._start = self._raw[drop:], end - drop
        return out

    def _check(self, start: int, end: int) -> Released | None:
        """One sentence of the raw text; ``None`` when there is nothing in it but white space."""
        sentence = self._raw[start:end]
        body = sentence.strip()
        space = sentence[len(sentence.rstrip()) :]
        if not body:
            self._widen(sentence)
            return None
        begin = start + len(sentence) - len(sentence.lstrip())
        try:
            clean, redacted = self._without_identity(begin, begin + len(body))
        except DetectorError:
            self._widen(space)
            return Released("", withheld="error")
        clean = _visible(clean).strip()
        if not clean:
            self._widen(space)
            return None
        self._claims += 1
        claim = check_claim(f"claim-{self._claims}", clean, self._ledger, raw=_visible(body))
        if claim.verdict in ("contradicted", "unsupported"):
            self._widen(space)
            return Released("", claim, "contradicted" if claim.verdict == "contradicted" else "unsupported", redacted)
        text = (self._gap or "") + clean
        self._gap = space
        return Released(text, claim, None, redacted)

    def _without_identity(self, start: int, end: int) -> tuple[str, int]:
        """The raw text of ``[start, end)`` with identity replaced, and how many stretches that were."""
        left, right = self._window(start, end)
        window = self._raw[left:right]
        found = [*self._identity.find(window), *self._detector.spans(window, (start - left, end - left))]
        parts: list[str] = []
        at, count = start, 0
        for span in merge(Span(s.start + left, s.end + left, s.kind) for s in found):
            if span.end <= start or span.start >= end:
                continue
            parts.append(self._raw[at : max(at, span.start)])
            if span.start >= start:
                parts.append(span.marker)
            at = min(span.end, end)
            count += 1
        parts.append(self._raw[at:end])
        return "".join(parts), count

    def _window(self, start: int, end: int) -> tuple[int, int]:
        """A sentence with ``HOLD_BACK`` characters on either side, drawn in to white space.

        Only the text inside the window decides, so that it is the same for every chunking.
        """
        left, right = max(start - HOLD_BACK, 0), end + HOLD_BACK
        if start >= HOLD_BACK:
            while left < start and not self._raw[left].isspace():
                left += 1
        if right <= len(self._raw):
            while right > end and not self._raw[right - 1].isspace():
                right -= 1
        return left, min(right, len(self._raw))

    def _widen(self, space: str) -> None:
        """Keep the wider of two stretches of white space around a sentence that is not shown."""
        if self._gap is not None and (space.count("\n"), len(space)) > (self._gap.count("\n"), len(self._gap)):
            self._gap = space


def _visible(text: str) -> str:
    """The text without invisible characters and without controls that a terminal would obey."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char for char in text if char in "\n\t" or not (is_invisible(char) or unicodedata.category(char) == "Cc")
    )
