"""Finds identity that is burned into pixels: text by OCR, and the strip above the regions an ultrasound header names.

Text is masked unless it is known to say nothing of anybody: a bare name looks like any other unknown word,
so what is not on the list of harmless words goes. The OCR (rapidocr) carries its models; nothing is fetched.
"""

import re
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from guardrails.errors import DetectorError
from guardrails.phi.folding import fold
from guardrails.phi.identity import Identity
from guardrails.phi.text import TextDetector
from overread.packaged import packaged_yaml
from overread.records import Box

if TYPE_CHECKING:
    from pydicom import Dataset
    from rapidocr import RapidOCR

Picture = NDArray[np.uint8]
_FLAT, _CONTRAST = 4, 60
"""Grey levels: a background varies by no more than the first, text stands out from it by more than the second."""
_SURE = 0.6
"""Text read less surely than this, on a ground that is not flat, is taken for texture of the anatomy."""


_FEWEST_LETTERS, _LARGEST_LETTERS = 3, 0.05
"""Fewer letters than the first, over more than the second of a picture and not read surely, are no text."""


@dataclass(frozen=True)
class WrittenText:
    """A line of text on a picture: its half-open box in pixels, what it says, and how surely it was read (0 to 1)."""

    box: Box
    words: str
    score: float


class TextReader:
    """Reads what is written on a picture. Thread-safe: one picture at a time; the models load on first use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._engine: RapidOCR | None = None

    def read(self, picture: Picture) -> list[WrittenText]:
        """Every line of text on an RGB picture uint8 ``(H, W, 3)``. Raises ``DetectorError`` when the OCR fails."""
        try:
            from rapidocr.utils.output import RapidOCROutput

            with self._lock:
                found = self._loaded()(picture)
        except Exception as error:  # noqa: BLE001 - whatever fails, the picture must not be shown as clean
            raise DetectorError(f"the detector of burned-in text failed ({type(error).__name__})") from None
        if not isinstance(found, RapidOCROutput) or found.boxes is None:
            return []
        height, width = picture.shape[:2]
        lines = zip(found.boxes, found.txts or (), found.scores or (), strict=True)
        return [WrittenText(_around(corners, height, width), words, score) for corners, words, score in lines]

    def _loaded(self) -> "RapidOCR":
        if self._engine is None:
            from rapidocr import RapidOCR

            self._engine = RapidOCR(
                params={"Global.text_score": 0.0, "Global.use_cls": False, "Global.log_level": "critical"}
            )
        return self._engine


def identifying_boxes(
    picture: Picture, texts: list[WrittenText], identity: Identity, detector: TextDetector
) -> list[Box]:
    """The boxes of those lines that may identify somebody."""
    return [
        text.box
        for text in texts
        if identity.find(text.words)
        or detector.known(text.words)
        or (
            not is_harmless(text.words)
            and (text.score >= _SURE or (_on_flat_ground(picture, text.box) and not _is_large_shape(picture, text)))
        )
    ]


def is_harmless(words: str) -> bool:
    """Whether every word of a line is a side, a setting, a value or a body part of the list."""
    tokens = re.findall(r"[^\s,;:()\[\]|=*]+", fold(words).text.lower())
    return all(_harmless_token(token.strip(".-_'\"")) for token in tokens)


def may_hold_text(header: "Dataset | None", picture: Picture) -> bool:
    """Whether text is likely on such a picture, so that reading it is worth its second or two.

    With a DICOM header, by what that says; without one, where bright or dark strokes stand on flat ground.
    """
    return _strokes_on_flat_ground(picture) if header is None else header_speaks_of_text(header)


def header_speaks_of_text(header: "Dataset") -> bool:
    """Whether a DICOM header says, by modality, storage class or in so many words, that text may be burned in."""
    from pydicom.uid import UID

    said = str(header.get("BurnedInAnnotation", "")).strip().upper() == "YES"
    kinds = {str(value).upper() for value in header.get("ImageType", None) or ()}
    copied = UID(str(header.get("SOPClassUID", ""))).keyword in _rules()["storage_classes"]
    modality = str(header.get("Modality", "")).strip().upper()
    return said or copied or modality in _rules()["modalities"] or "SCREEN SAVE" in kinds


def strip_above_regions(header: "Dataset | None", picture: Picture, texts: list[WrittenText]) -> list[Box]:
    """The strip above an ultrasound's regions, when more is written there than was read.

    Source: PS3.3 C.8.5.5, US Region Calibration: what lies outside all regions is no image.
    """
    height, width = picture.shape[:2]
    tops = []
    for region in (header.get("SequenceOfUltrasoundRegions", None) if header is not None else None) or ():
        top, bottom = region.get("RegionLocationMinY0"), region.get("RegionLocationMaxY1")
        if not isinstance(top, int) or not isinstance(bottom, int) or not 0 <= top < bottom <= height:
            return []
        tops.append(top)
    if not tops or min(tops) < 4:
        return []
    strip = picture[: min(tops)].max(axis=2).astype(np.int16)
    unread = np.abs(strip - np.median(strip)) > _CONTRAST
    for text in texts:
        x0, y0, x1, y1 = text.box
        unread[y0:y1, x0:x1] = False
    return [(0, 0, width, min(tops))] if unread.mean() > 0.002 else []


def _strokes_on_flat_ground(picture: Picture) -> bool:
    """Whether two neighbouring tiles of a row hold such strokes: a line of text is longer than a side marker."""
    grey = picture.max(axis=2).astype(np.int16)
    height, width = grey.shape
    size = max(24, width // 24)
    for top in range(0, height, size):
        before = False
        for left in range(0, width, size):
            here = _strokes(grey[top : top + size, left : left + size])
            if here and before:
                return True
            before = here
    return False


def _strokes(tile: NDArray[np.int16]) -> bool:
    """Whether a patch is mostly one grey, and some of it sharply another."""
    edges = np.abs(np.diff(tile, axis=1)) > _CONTRAST
    if edges.size == 0 or edges.mean() < 0.02:
        return False
    return bool((np.abs(tile - np.median(tile)) <= _FLAT).mean() > 0.5)


def _on_flat_ground(picture: Picture, box: Box) -> bool:
    x0, y0, x1, y1 = box
    patch = picture[y0:y1, x0:x1].max(axis=2).astype(np.int16)
    return bool(patch.size and (np.abs(patch - np.median(patch)) <= _FLAT).mean() > 0.5)


def _is_large_shape(picture: Picture, text: WrittenText) -> bool:
    """Whether a letter or two were made out in a large part of the picture: a sector on black, not a line of text."""
    x0, y0, x1, y1 = text.box
    height, width = picture.shape[:2]
    return len(text.words.strip()) < _FEWEST_LETTERS and (x1 - x0) * (y1 - y0) > _LARGEST_LETTERS * height * width


def _around(corners: NDArray[np.float32], height: int, width: int) -> Box:
    """The upright box around a line, a little wider than its letters."""
    x0, y0 = np.floor(corners.min(axis=0))
    x1, y1 = np.ceil(corners.max(axis=0))
    margin = max(2.0, 0.15 * (y1 - y0))
    return (
        int(max(x0 - margin, 0)),
        int(max(y0 - margin, 0)),
        int(min(x1 + margin, width)),
        int(min(y1 + margin, height)),
    )


def _harmless_token(token: str) -> bool:
    return not token or token in _rules()["harmless"] or _rules()["values"].fullmatch(token) is not None


@lru_cache(maxsize=1)
def _rules() -> dict[str, Any]:
    rules = packaged_yaml("guardrails.phi", "data/burned_in.yaml")
    return {
        "modalities": frozenset(rules["modalities"]),
        "storage_classes": frozenset(rules["storage_classes"]),
        "harmless": frozenset(str(rules["harmless"]).split()),
        "values": re.compile("|".join(f"(?:{value})" for value in rules["values"])),
    }
