"""Where identity stands in a text, and the markers that replace it."""

from collections.abc import Iterable
from dataclasses import dataclass

MARKERS = {
    "name": "[NAME]",
    "date": "[DATE]",
    "age": "[AGE]",
    "id": "[ID]",
    "uid": "[UID]",
    "phone": "[PHONE]",
    "email": "[EMAIL]",
    "url": "[URL]",
    "ip": "[IP]",
    "place": "[PLACE]",
    "facility": "[PLACE]",
    "account": "[ID]",
}
"""The marker of each kind. A kind that is not here is shown as ``[REMOVED]``."""


@dataclass(frozen=True, order=True)
class Span:
    """A half-open stretch ``[start, end)`` of a text, in characters, and its kind (a key of ``MARKERS``)."""

    start: int
    end: int
    kind: str

    @property
    def marker(self) -> str:
        """What stands in its place."""
        return MARKERS.get(self.kind, "[REMOVED]")


@dataclass(frozen=True)
class Redacted:
    """A text with its identity replaced, the spans on the original, and how many there were."""

    text: str
    spans: tuple[Span, ...]

    @property
    def count(self) -> int:
        """How many stretches were replaced."""
        return len(self.spans)


def merge(spans: Iterable[Span]) -> list[Span]:
    """Spans in order without overlap: overlapping ones become one, of the kind of the longest."""
    merged: list[Span] = []
    longest = 0
    for span in sorted(spans, key=lambda s: (s.start, -s.end)):
        length = span.end - span.start
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            kind = span.kind if length > longest else last.kind
            merged[-1] = Span(last.start, max(last.end, span.end), kind)
            longest = max(longest, length)
        else:
            merged.append(span)
            longest = length
    return merged


def replace(text: str, spans: Iterable[Span]) -> Redacted:
    """The text with every span replaced by its marker."""
    found = merge(spans)
    parts: list[str] = []
    at = 0
    for span in found:
        parts += (text[at : span.start], span.marker)
        at = span.end
    parts.append(text[at:])
    return Redacted("".join(parts), tuple(found))
