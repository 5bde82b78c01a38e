"""A study as everything after the reader sees it: no identity, pixels on demand."""

import copy
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from overread.records import Box, Contents, Context
from tools.errors import FrameError, UnreadableStudyError
from tools.imaging.window import Presentation, Tone, render, tone_of


class HeaderStripper(Protocol):
    """Takes identity out of what came with the pixels. The reader hands over and forgets."""

    def dataset(self, dataset: Dataset) -> Dataset:
        """The clean header of ``dataset``, which holds no pixel data at any depth.

        Every element can be read; one that was broken has VR ``UN`` and its bytes. The file meta
        information is in ``dataset.file_meta``; the reader drops it from the header it keeps.
        """

    def metadata(self, values: Mapping[str, str]) -> None:
        """Text that came with a PNG, JPEG or the like (EXIF tags, text chunks). The reader keeps none of it."""


MOST_TRIED = 64
"""Frames that are looked at to find one that is not blank."""


@dataclass(frozen=True)
class Frame:
    """One decoded frame: grey ``values`` with how to show them, or ``rgb``; one of the two is there.

    ``values`` float32 ``(H, W)`` in the modality's unit; ``rgb`` uint8 ``(H, W, 3)``;
    ``void`` bool ``(H, W)`` marks pixels that are no image, or is ``None``.
    """

    values: NDArray[np.float32] | None = None
    rgb: NDArray[np.uint8] | None = None
    presentation: Presentation = field(default_factory=Presentation)
    void: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Facts:
    """What is known of a study besides its pixels. ``size`` is (H, W); see ``Study`` for the rest.

    ``source_bytes`` are those that stay in memory so that frames can be decoded from them.
    """

    modality: str | None
    frames: int
    size: tuple[int, int]
    spacing_mm: tuple[float, float] | None
    context: Context
    header: Dataset | None
    slice_spacing_mm: float | None = None
    contents: Contents = field(default_factory=Contents)
    source_bytes: int = 0


class Study:
    """One image file, or one series of slices, read.

    Pixels are as stored: a JPEG's EXIF orientation is not applied, so that boxes and masks mean the
    pixels of the file. Frames are decoded when asked for; the last one is kept. Safe to use from
    several threads. Arrays given out are the caller's own to change.

    ``study_id`` is random: nothing of the file or the patient can be told from it. ``content_hash`` is
    a SHA-256 of the bytes that were read, for caches inside the process and for the audit log, never for an
    event. ``modality`` is a DICOM code from a closed list, or ``None``. ``frames`` is at least 1, ``size`` the
    (H, W) of every frame.
    ``spacing_mm`` is (row, column), or ``None`` when the file does not state it. ``slice_spacing_mm`` is
    the distance from each frame to the next, ``None`` where they are no evenly spaced slices.
    ``context`` is what survives de-identification. ``header`` is the stripped DICOM header without
    pixel data, of one slice where there are several; ``None`` for other files. ``contents``
    counts what was read and what was left out. ``held_bytes`` is about what the study takes in memory.
    """

    def __init__(
        self,
        study_id: str,
        content_hash: str,
        facts: Facts,
        decode: Callable[[int], Frame],
        decoded: Frame,
        index: int = 0,
    ) -> None:
        """``decode`` gives any frame, ``decoded`` is the one of ``index``, which is there already."""
        self.study_id = study_id
        self.content_hash = content_hash
        self.modality = facts.modality
        self.frames = facts.frames
        self.size = facts.size
        self.spacing_mm = facts.spacing_mm
        self.slice_spacing_mm = facts.slice_spacing_mm
        self.context = facts.context
        self.header = facts.header
        self.contents = facts.contents
        self.held_bytes = facts.source_bytes + 4 * facts.size[0] * facts.size[1]
        self._decode = decode
        self._lock = threading.Lock()
        self._last: tuple[int, Frame] = (index, decoded)
        self._regions: tuple[Box, ...] = ()
        self._representative: tuple[tuple[Box, ...], int] | None = None

    def beside(self) -> "Study":
        """Another one on the same pixels, masked as this one is now, with context and later masks of its own."""
        with self._lock:
            return copy.copy(self)

    def values(self, frame: int = 0) -> NDArray[np.float32] | None:
        """Grey values float32 ``(H, W)`` in the modality's unit (Hounsfield units for CT); ``None`` for colour.

        Padding and masked regions hold the value that is shown darkest, so that they stand for "nothing
        there". MONOCHROME1 is not inverted here: values are what was measured. Raises
        ``FrameError`` for a frame that is not there, ``UnreadableStudyError`` for one that does not decode.
        """
        found, void = self._frame(frame)
        return None if found.values is None else _filled(found.values, void, found.presentation.inverted)

    def display(self, frame: int = 0) -> NDArray[np.uint8]:
        """RGB uint8 ``(H, W, 3)`` in [0, 255], windowed, bright meaning dense. Void pixels are black.

        Raises as ``values`` does.
        """
        found, void = self._frame(frame)
        if found.rgb is not None:
            picture = found.rgb.copy()
            if void is not None:
                picture[void] = 0
            return picture
        if found.values is None:
            raise FrameError("The frame holds no picture.")
        return np.repeat(render(found.values, found.presentation, void)[:, :, None], 3, axis=2)

    def tone(self, frame: int = 0) -> Tone | None:
        """How ``display`` shows a frame's values; ``None`` for colour. Raises as ``values`` does."""
        found, void = self._frame(frame)
        return None if found.values is None else tone_of(found.values, found.presentation, void)

    @property
    def other_series(self) -> int:
        """How many more series the folder or archive holds that are not shown."""
        return self.contents.series - 1

    def representative_frame(self) -> int:
        """The frame a tool for single images sees when none was asked for.

        The middle one (of an even number, the later of the two). Where nothing is to be seen in it, or
        it cannot be decoded, the nearest one in which something is, the later one first; at most
        ``MOST_TRIED`` are looked at. Where that finds none, the middle one after all.
        """
        regions, known = self._regions, self._representative
        if known is None or known[0] != regions:
            known = self._representative = regions, self._first_to_show_something()
        return known[1]

    def _first_to_show_something(self) -> int:
        middle = self.frames // 2
        for index in nearest_first(middle, self.frames)[:MOST_TRIED]:
            if self.frames == 1 or self._shows_something(index):
                return index
        return middle

    def sampled_frames(self, count: int, first: int) -> tuple[int, ...]:
        """The frames that tools for single images see of many: ``count`` of them, evenly spaced, in order.

        The frames are cut into ``count`` equal stretches, and the middle of each is taken; where there are no more
        than ``count``, all are. ``first``, the frame the study was identified by, takes the place of the one
        nearest to it. Frames in which nothing is to be seen, or that cannot be decoded, are left out.
        """
        spread = [(2 * place + 1) * self.frames // (2 * count) for place in range(count)]
        chosen = list(range(self.frames)) if self.frames <= count else spread
        nearest = min(range(len(chosen)), key=lambda place: abs(chosen[place] - first))
        chosen[nearest] = first
        return tuple(index for index in sorted(set(chosen)) if index == first or self._shows_something(index))

    def _shows_something(self, index: int) -> bool:
        try:
            return not _blank(self.display(index))
        except UnreadableStudyError:
            return False

    def mask_regions(self, boxes: Sequence[Box]) -> None:
        """Takes regions (half-open boxes, stored pixels) out of all frames, of values and display alike.

        For burned-in text. There is no way back: whoever holds the study sees it masked from now on.
        """
        height, width = self.size
        inside = [(max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)) for x0, y0, x1, y1 in boxes]
        with self._lock:
            self._regions += tuple(box for box in inside if box[0] < box[2] and box[1] < box[3])

    @property
    def masked(self) -> tuple[Box, ...]:
        """The regions taken out so far."""
        return self._regions

    def _frame(self, index: int) -> tuple[Frame, NDArray[np.bool_] | None]:
        """A frame, and which of its pixels are void: padding and masked regions."""
        if not 0 <= index < self.frames:
            raise FrameError(f"There is no such frame; the study has {self.frames}, counted from 0.")
        with self._lock:
            if self._last[0] != index:
                self._last = index, self._decode(index)
            found, regions = self._last[1], self._regions
        if not regions:
            return found, found.void
        void = np.zeros(self.size, bool) if found.void is None else found.void.copy()
        for x0, y0, x1, y1 in regions:
            void[y0:y1, x0:x1] = True
        return found, void


def nearest_first(middle: int, count: int) -> list[int]:
    """All of ``range(count)``, those nearest to ``middle`` first, the later of two equally near first."""
    return sorted(range(count), key=lambda index: (abs(index - middle), -index))


def _blank(picture: NDArray[np.uint8]) -> bool:
    """Whether a picture is one flat grey but for a hundredth of its pixels."""
    low, high = np.percentile(picture[:, :, 0], (0.5, 99.5))
    return bool(high - low <= 1 and np.array_equal(picture[:, :, 0], picture[:, :, 1]))


def _filled(values: NDArray[np.float32], void: NDArray[np.bool_] | None, inverted: bool) -> NDArray[np.float32]:
    filled = values.copy()
    if void is not None and void.any():
        valid = filled[~void]
        valid = valid[np.isfinite(valid)]
        filled[void] = 0 if not valid.size else valid.max() if inverted else valid.min()
    return filled
