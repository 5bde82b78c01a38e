"""A DICOM file as a study. Sources: PS3.3 (modules), PS3.4 annex B (storage classes)."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pydicom import Dataset
from pydicom.uid import UID

from overread.settings import Settings
from tools.errors import UnreadableStudyError
from tools.imaging.colour import Palette, palette, rgb
from tools.imaging.context import context, modality
from tools.imaging.dataset import Parsed, parse
from tools.imaging.geometry import plane, slice_spacing_mm
from tools.imaging.header import has_functional_groups, word
from tools.imaging.pixels import Layout, StoredPixels, stored_pixels
from tools.imaging.presentation import GreyScale, grey_scales
from tools.imaging.spacing import spacing_mm
from tools.imaging.study import Facts, Frame, HeaderStripper, Study

_KINDS = {
    "MediaStorageDirectoryStorage": "an index of other files (a DICOMDIR)",
    "RTStructureSetStorage": "the contours of a radiotherapy plan",
    "RTPlanStorage": "a radiotherapy plan",
    "EncapsulatedPDFStorage": "a PDF document",
    "GrayscaleSoftcopyPresentationStateStorage": "a presentation state",
    "KeyObjectSelectionDocumentStorage": "a list of key images",
    "RawDataStorage": "raw scanner data",
}
_KIND_ENDINGS = {
    "SRStorage": "a structured report",
    "WaveformStorage": "a waveform such as an ECG",
    "PresentationStateStorage": "a presentation state",
    "SurfaceSegmentationStorage": "a surface",
}


@dataclass(frozen=True)
class DicomImage:
    """A DICOM file that holds a picture, checked, its frames ready to be decoded.

    ``header`` is as it came, with identity in it: for the reader alone, and not to be kept.
    """

    header: Dataset
    layout: Layout
    decode: Callable[[int], Frame]

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.layout.rows, self.layout.columns

    def slice_spacing_mm(self) -> float | None:
        """The distance between the slices, when the frames of this one file are slices."""
        frames = range(self.layout.frames if has_functional_groups(self.header) else 1)
        return slice_spacing_mm([plane(self.header, frame) for frame in frames])


def read_dicom(data: bytes, stripper: HeaderStripper, limits: Settings) -> Study:
    """The study in a DICOM file. The first frame is decoded, so that a broken file shows at once.

    Raises ``UnreadableStudyError`` or ``TooLargeError``; whatever ``stripper`` raises goes through.
    """
    parsed = parse(data, limits)
    image = open_image(parsed, limits)
    first = image.decode(0)
    facts = Facts(
        modality(parsed.header),
        image.layout.frames,
        image.size,
        spacing_mm(parsed.header, image.layout.frames),
        context(parsed.header),
        stripped(parsed.header, stripper),
        image.slice_spacing_mm(),
        source_bytes=len(data),
    )
    return Study(secrets.token_hex(8), hashlib.sha256(data).hexdigest(), facts, image.decode, first)


def open_image(parsed: Parsed, limits: Settings) -> DicomImage:
    """The image in a parsed file, after every check that needs no decoding.

    Raises ``UnreadableStudyError`` or ``TooLargeError``.
    """
    if parsed.pixels is None:
        raise UnreadableStudyError(_no_picture(parsed.header))
    pixels = stored_pixels(parsed.header, parsed.pixels, parsed.syntax, limits)
    return DicomImage(parsed.header, pixels.layout, _decoder(parsed, pixels))


def stripped(header: Dataset, stripper: HeaderStripper) -> Dataset:
    """The header without identity, as a study keeps it."""
    clean = stripper.dataset(header)
    if hasattr(clean, "file_meta"):
        del clean.file_meta
    return clean


def is_other_object(header: Dataset) -> bool:
    """Whether a file without pixels is meant to have none: it says what it is, and gives no picture an extent."""
    return bool(_storage_class(header)) and "Rows" not in header


def _decoder(parsed: Parsed, pixels: StoredPixels) -> Callable[[int], Frame]:
    """How a frame of this file is decoded. Keeps numbers of the header, never the header."""
    layout = pixels.layout
    if layout.photometric == "PALETTE COLOR":
        return _PaletteFrames(pixels, palette(parsed.header, parsed.little_endian))
    if layout.samples == 3:
        return _ColourFrames(pixels)
    found = modality(parsed.header)
    scales = grey_scales(parsed.header, found, layout.frames, layout.photometric, parsed.little_endian)
    return _GreyFrames(pixels, scales)


@dataclass(frozen=True)
class _GreyFrames:
    pixels: StoredPixels
    scales: tuple[GreyScale, ...]

    def __call__(self, index: int) -> Frame:
        stored, _ = self.pixels.frame(index)
        scale = self.scales[min(index, len(self.scales) - 1)]
        values = scale.rescale.apply(stored)
        void = None
        if scale.padding is not None:
            low, high = scale.padding
            void = (stored >= low) & (stored <= high)
        if stored.dtype.kind == "f":
            void = ~np.isfinite(values) if void is None else void | ~np.isfinite(values)
        if void is not None and (not void.any() or void.all()):
            void = None
        return Frame(values=values, presentation=scale.presentation, void=void)


@dataclass(frozen=True)
class _ColourFrames:
    pixels: StoredPixels

    def __call__(self, index: int) -> Frame:
        stored, photometric = self.pixels.frame(index)
        return Frame(rgb=rgb(stored, photometric, self.pixels.layout.bits_stored))


@dataclass(frozen=True)
class _PaletteFrames:
    pixels: StoredPixels
    palette: Palette

    def __call__(self, index: int) -> Frame:
        stored, _ = self.pixels.frame(index)
        return Frame(rgb=self.palette.apply(stored))


def _no_picture(header: Dataset) -> str:
    """Says what a file without pixel data is, from the standard's list of storage classes."""
    keyword = UID(_storage_class(header)).keyword
    kind = _KINDS.get(keyword) or next((k for end, k in _KIND_ENDINGS.items() if keyword.endswith(end)), None)
    if kind is None and "DirectoryRecordSequence" in header:
        kind = _KINDS["MediaStorageDirectoryStorage"]
    if kind is None and word(header, "Modality") == "SR":
        kind = _KIND_ENDINGS["SRStorage"]
    if kind:
        return f"This DICOM file holds {kind} and no image; name the file of an image."
    return "The DICOM file holds no pixel data: it is no image or was cut off. Export or copy it again."


def _storage_class(header: Dataset) -> str:
    return str(header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID") or "")
