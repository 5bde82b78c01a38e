"""The images of a conversation, as they were shown to the models: masked, and with what was found drawn on them."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from overread.events import StudyEvent
from serve import words

if TYPE_CHECKING:
    from agent.assistant import Assistant

MAX_SIDE = 1200
"""Longest side a picture is sent at, in pixels."""


@dataclass(frozen=True)
class Shown:
    """One image as data URIs: as displayed, and with what was found drawn on it, if anything; and a line."""

    image: str
    overlay: str | None = None
    caption: str = ""


def look_up(assistant: "Assistant", study: StudyEvent, with_overlay: bool) -> Shown | None:
    """A study's picture from the assistant's memory, or ``None`` while there is none."""
    picture = assistant.picture(study.study_id)
    if picture is None:
        return None
    overlay = assistant.overlay(study.study_id) if with_overlay else None
    drawn = overlay is not None and not (overlay.shape == picture.shape and np.array_equal(overlay, picture))
    receipt = words.receipt(study.privacy)
    caption = f"{', '.join(words.study_facts(study))}. {receipt[0].upper()}{receipt[1:]}."
    return Shown(data_uri(picture), data_uri(overlay) if drawn and overlay is not None else None, caption)


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """A picture, uint8 ``(H, W, 3)`` RGB, as a PNG or (when large) a JPEG data URI."""
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    small = picture.width * picture.height <= 512 * 512
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG" if small else "JPEG", quality=92)
    kind = "png" if small else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def viewer_html(pictures: Mapping[str, Shown]) -> str:
    """The pictures, newest first; a switch shows or hides what was found."""
    figures = [_figure(n, shown) for n, shown in enumerate(pictures.values(), start=1)]
    return f'<div class="viewer">{"".join(reversed(figures))}</div>' if figures else ""


def _figure(n: int, shown: Shown) -> str:
    caption = f"<figcaption>Image {n}: {escape(shown.caption)}</figcaption>"
    if shown.overlay is None:
        return f'<figure><img src="{shown.image}" alt="Image {n}">{caption}</figure>'
    return (
        f'<figure><img class="bare" src="{shown.image}" alt="Image {n}">'
        f'<img class="drawn" src="{shown.overlay}" alt="Image {n} with what was found drawn on it">'
        f'<label class="switch"><input type="checkbox" checked> Show what was found</label>{caption}</figure>'
    )
