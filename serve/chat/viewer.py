"""The viewer's part of the page: its shell, its words, and what tells its scripts that there is something to show."""

from functools import lru_cache
from typing import Any

from overread.events import ToolResultEvent
from overread.packaged import packaged_text, packaged_yaml
from serve.chat.pieces import Piece
from serve.chat.session import Session


@lru_cache(maxsize=1)
def viewer_data() -> dict[str, Any]:
    """The windows that are offered and the phrases of the viewer, as ``viewer.yaml`` has them."""
    data: dict[str, Any] = packaged_yaml("serve.chat", "viewer.yaml")
    return data


def viewer_html() -> str:
    """The viewer before any image is there. It stays in the page as it is; its scripts fill it."""
    return packaged_text("serve.chat", "viewer.html")


def seen_piece(session: Session) -> Piece:
    """Tells the scripts which conversation it is, and when there is another study or result; nothing is seen of it."""
    results = sum(isinstance(event, ToolResultEvent) for turn in session.turns for event in turn.events)
    version = f"{session.shelf.revision}-{len(session.turns)}-{results}"
    html = '<span id="viewer-seen" hidden></span>'
    return Piece("viewer-seen", "waiting-box", html, {"data-key": session.key, "data-version": version})
