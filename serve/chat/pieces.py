"""What stands on the page as pieces with names, so that only what changed has to travel and be drawn anew."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Piece:
    """One element of the page: its id, the id of the element it stands in, and its HTML.

    ``attrs`` are set on the element beside those in ``html``, or taken away where ``None``. An element that other
    pieces stand in must never change its ``html``, or they would be lost; what changes of it is in ``attrs``.
    With an empty ``html`` it is an element inside another piece, of which only ``attrs`` are set.
    """

    id: str
    box: str
    html: str
    attrs: Mapping[str, str | None] = field(default_factory=dict)


Placed = dict[str, tuple[Piece, str | None]]
"""Pieces by id, each with the id of the piece that stands before it in its box."""


def placed(pieces: Iterable[Piece]) -> Placed:
    """The pieces, each with its place."""
    last: dict[str, str] = {}
    found: Placed = {}
    for piece in pieces:
        found[piece.id] = (piece, last.get(piece.box))
        if piece.html:
            last[piece.box] = piece.id
    return found


def changes(before: Placed, now: Placed) -> list[dict[str, Any]]:
    """What turns one page into the other: an object for each piece that is gone, new, other or elsewhere.

    ``gone``; or ``html`` where it is other, ``box`` and ``after`` where its place is, ``attrs`` where they are.
    """
    gone: list[dict[str, Any]] = [
        {"id": id_, "gone": True} for id_, (piece, _) in before.items() if id_ not in now and piece.html
    ]
    changed: list[dict[str, Any]] = []
    for id_, (piece, after) in now.items():
        old, old_after = before.get(id_, (None, None))
        change: dict[str, Any] = {}
        if piece.html and (old is None or old.html != piece.html):
            change["html"] = piece.html
        if not piece.html:
            pass
        elif old is None or old.box != piece.box or old_after != after:
            change |= {"box": piece.box, "after": after}
        if piece.attrs and (old is None or "html" in change or old.attrs != piece.attrs):
            change["attrs"] = dict(piece.attrs)
        if change:
            changed.append({"id": id_, **change})
    return gone + changed
