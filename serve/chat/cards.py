"""What a page tells of an opened study: its facts and its privacy receipt in words, and a small picture."""

import io
from typing import TYPE_CHECKING, Any

from serve import words

if TYPE_CHECKING:
    from agent.opening import OpenedStudy
    from serve.chat.shelf import Shelf

SIDE = 192
"""Longest side of a thumbnail, in pixels: twice what it is shown at."""


def cards(shelf: "Shelf") -> dict[str, Any]:
    """All studies of a visitor, the oldest first."""
    return {
        "revision": shelf.revision,
        "put_away": shelf.put_away,
        "studies": [card(opened, opened.handle in shelf.waiting) for opened in shelf.studies.values()],
    }


def card(opened: "OpenedStudy", waiting: bool) -> dict[str, Any]:
    """A study as the page's scripts get it. ``waiting``: the next question will be about it."""
    event = opened.event
    # The first of the facts is the kind.
    receipt = words.receipt(event.privacy)
    return {
        "handle": opened.handle,
        "study_id": event.study_id,
        "waiting": waiting,
        "modality": event.modality,
        "images": event.images,
        "frames": event.frames,
        "frame": opened.frame,
        "size": event.size,
        "spacing_mm": event.spacing_mm,
        "slice_spacing_mm": opened.slice_spacing_mm,
        "privacy": event.privacy.model_dump(),
        "context": event.context.model_dump(exclude_none=True),
        "kind": words.phrases()["modality"].get(event.modality, event.modality or "picture"),
        "facts": words.study_facts(event)[1:],
        "receipt": receipt[0].upper() + receipt[1:],
    }


def thumbnail(opened: "OpenedStudy") -> bytes:
    """A small PNG of the representative frame, masked. Raises ``UnreadableStudyError``."""
    from PIL import Image

    picture = Image.fromarray(opened.display(opened.frame))
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
