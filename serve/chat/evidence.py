"""The evidence of a turn as pieces: what was seen, and the sources word for word with what was quoted marked."""

import re
from collections.abc import Iterator, Sequence
from html import escape
from urllib.parse import urlsplit

from overread.events import ClaimEvent, DomainEvent, Event, PassageEvent, ToolResultEvent
from serve import words
from serve.chat.pieces import Piece

_ID = re.compile(r"\s*\[[A-Z]\d+(?:[,;] ?[A-Z]\d+)*\]")
_SENTENCE = re.compile(r"\S.*?(?:[.!?](?=\s)|$)", re.DOTALL)
_WORD = re.compile(r"\w+")
LEAST_ALIKE = 0.6
"""Share of a sentence's words that a passage's sentence must have to be taken for the one it rests on."""


def evidence_pieces(name: str, events: Sequence[Event]) -> Iterator[Piece]:
    """What was seen, then the sources, in the boxes of the turn of that name."""
    box, seen = f"{name}-evidence", list(_seen(name, events))
    if seen:
        yield Piece(f"{name}-seen-title", box, f'<h3 id="{name}-seen-title">What was seen</h3>')
        yield Piece(f"{name}-seen", box, f'<ul id="{name}-seen" class="seen"></ul>')
        yield from seen
    sources = [event for event in events if isinstance(event, PassageEvent)]
    if sources:
        claims = [event for event in events if isinstance(event, ClaimEvent)]
        yield Piece(f"{name}-read-title", box, f'<h3 id="{name}-read-title">Sources, word for word</h3>')
        for event in sources:
            yield Piece(f"{name}-ev-{event.id}", box, _passage(name, event, claims))


def _seen(name: str, events: Sequence[Event]) -> Iterator[Piece]:
    for event in events:
        if isinstance(event, DomainEvent) and event.accepted:
            yield _item(name, event.id, words.domain_line(event), "present", event)
        if isinstance(event, ToolResultEvent):
            for finding in event.findings:
                yield _item(name, finding.id, words.finding_line(finding), finding.decision, event)
            for made in event.measurements:
                yield _item(name, made.id, words.measurement_line(made), "plain", event)
            for case in event.cases:
                said = f"similar case: {case.label}, similarity {case.similarity:.2f}"
                yield _item(name, case.id, said, "plain", event)


def _item(name: str, id_: str, text: str, kind: str, of: DomainEvent | ToolResultEvent) -> Piece:
    shown, label = escape(id_), f"{name}-ev-{escape(id_)}"
    where = f' data-study="{escape(of.study_id)}" data-frame="{of.frame or 0}"' if of.study_id else ""
    return Piece(
        f"{name}-ev-{id_}",
        f"{name}-seen",
        f'<li id="{label}" data-ev="{shown}" tabindex="-1" class="item item-{escape(kind)}"{where}>'
        f'<span class="id">{shown}</span> {escape(text)}</li>',
    )


def _passage(name: str, event: PassageEvent, claims: Sequence[ClaimEvent]) -> str:
    shown = escape(event.id)
    return (
        f'<details class="passage" id="{name}-ev-{shown}" data-ev="{shown}">'
        f'<summary><span class="id">{shown}</span> {escape(event.title)}</summary>'
        f'<blockquote tabindex="-1">{_marked(event, claims)}</blockquote>'
        f"<p>{escape(event.source)} {link(event.url)}</p></details>"
    )


def _marked(event: PassageEvent, claims: Sequence[ClaimEvent]) -> str:
    """The passage with each quoted sentence marked, and the ids of the claims that quote it."""
    quotes: dict[tuple[int, int], list[str]] = {}
    for claim in claims:
        if event.id in claim.evidence and (place := quoted(event.text, claim.text)) is not None:
            quotes.setdefault(place, []).append(claim.claim_id)
    html, at = "", 0
    for (start, end), ids in sorted(quotes.items()):
        if start < at:
            continue
        html += escape(event.text[at:start])
        html += f'<mark data-claims="{escape(" ".join(ids))}">{escape(event.text[start:end])}</mark>'
        at = end
    return html + escape(event.text[at:])


def quoted(passage: str, sentence: str) -> tuple[int, int] | None:
    """Where a passage says what a sentence quotes: word for word, or else its sentence most alike; else ``None``."""
    bare = _ID.sub("", sentence).strip().rstrip(".!? ")
    if not bare:
        return None
    start = passage.casefold().find(bare.casefold())
    if start >= 0 and len(passage.casefold()) == len(passage):
        end = start + len(bare)
        return start, end + (passage[end : end + 1] in {".", "!", "?"})
    wanted = set(_WORD.findall(bare.casefold()))
    alike = [
        (len(wanted & set(_WORD.findall(match.group().casefold()))) / max(1, len(wanted)), match.span())
        for match in _SENTENCE.finditer(passage)
    ]
    best = max(alike, key=lambda one: one[0], default=(0.0, (0, 0)))
    return best[1] if best[0] >= LEAST_ALIKE else None


def link(url: str | None) -> str:
    """A link to another site: only http and https, and it tells that site nothing of this page."""
    if url is None:
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return ""
    return (
        f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">{escape(parts.hostname)}'
        '<span aria-hidden="true"> ↗</span><span class="sr aside"> (opens in a new tab)</span></a>'
    )
