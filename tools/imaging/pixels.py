"""The stored samples of one frame at a time, out of any transfer syntax that is read.

Each syntax has one decoder. A codestream's own size is compared with the header before a decoder
sees it. Sources: PS3.5 section 8 and annex A (transfer syntaxes), PS3.3 C.7.6.3 (Image Pixel).
"""

import json
import math
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import encapsulate, get_frame, parse_basic_offsets, parse_fragments
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    MPEGTransferSyntaxes,
    RLELossless,
)

from overread.settings import Settings
from tools.errors import UnreadableStudyError
from tools.imaging import codestream, isolated, rle
from tools.imaging.bounds import FAULTS, MeteredBytes, check_extent
from tools.imaging.dataset import PixelElement, hush
from tools.imaging.header import integer, word

_PLUGINS = {
    JPEGBaseline8Bit: "pillow",
    JPEGExtended12Bit: "pillow",
    JPEG2000Lossless: "pylibjpeg",
    JPEG2000: "pylibjpeg",
    HTJ2KLossless: "pylibjpeg",
    HTJ2KLosslessRPCL: "pylibjpeg",
    HTJ2K: "pylibjpeg",
}
_ISOLATED = (JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, JPEGLSNearLossless)
_JPEG_LS = (JPEGLSLossless, JPEGLSNearLossless)
_WAVELET = (JPEG2000Lossless, JPEG2000, HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K)
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_GREYS = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")


@dataclass(frozen=True)
class Layout:
    """The Image Pixel attributes that decoding needs, checked."""

    rows: int
    columns: int
    frames: int
    samples: int
    bits_allocated: int
    bits_stored: int
    signed: bool
    planar: int
    photometric: str

    @property
    def frame_samples(self) -> int:
        """Samples of one frame."""
        return self.rows * self.columns * self.samples


@dataclass(frozen=True)
class StoredPixels:
    """The pixel data of one file, decoded frame by frame when asked for."""

    element: PixelElement
    syntax: UID
    layout: Layout

    def frame(self, index: int) -> tuple[NDArray[Any], str]:
        """Stored samples ``(H, W)`` or ``(H, W, 3)`` of frame ``index``, and their photometric interpretation.

        Raises ``UnreadableStudyError`` when the frame cannot be decoded.
        """
        hush()
        try:
            if not self.syntax.is_encapsulated:
                return self._array(self.element.data, self.syntax, index, self.layout)
            coded = get_frame(
                self.element.data,
                index,
                number_of_frames=self.layout.frames,
                extended_offsets=self.element.extended_offsets,
            )
            return self._decoded(coded)
        except FAULTS as fault:
            if isinstance(fault, UnreadableStudyError):
                raise
            raise UnreadableStudyError("The pixel data cannot be decoded; export the file again.") from None

    def _decoded(self, coded: bytes) -> tuple[NDArray[Any], str]:
        layout = replace(self.layout, frames=1)
        if self.syntax == RLELossless:
            planes = rle.decode(coded, layout.rows * layout.columns, layout.samples, layout.bits_allocated // 8)
            return self._array(planes, ExplicitVRLittleEndian, 0, _plain(layout, planar=1))
        if self.syntax in _WAVELET:
            size, coded = codestream.jpeg_2000(coded)
        else:
            size = codestream.jpeg(coded)
        _check_size(size, layout)
        if self.syntax in (JPEGBaseline8Bit, JPEGExtended12Bit) and size.precision != 8:
            raise UnreadableStudyError(
                "The image is compressed as 12-bit JPEG, which cannot be decoded here; export it uncompressed."
            )
        if self.syntax in _ISOLATED:
            samples, layout = _isolated(coded, self.syntax, layout, size.precision)
            return self._array(samples, ExplicitVRLittleEndian, 0, layout)
        return self._array(encapsulate([coded]), self.syntax, 0, layout)

    def _array(self, data: bytes, syntax: UID, index: int, layout: Layout) -> tuple[NDArray[Any], str]:
        options: dict[str, Any] = {
            "rows": layout.rows,
            "columns": layout.columns,
            "number_of_frames": layout.frames,
            "samples_per_pixel": layout.samples,
            "bits_allocated": layout.bits_allocated,
            "bits_stored": layout.bits_stored,
            "pixel_representation": int(layout.signed),
            "photometric_interpretation": layout.photometric,
            "planar_configuration": layout.planar,
            "pixel_keyword": self.element.keyword,
            "pixel_vr": self.element.vr,
            "allow_excess_frames": False,
        }
        array, properties = get_decoder(syntax).as_array(
            data, index=index, raw=True, decoding_plugin=_PLUGINS.get(syntax, ""), **options
        )
        return array, str(properties["photometric_interpretation"])


def stored_pixels(header: Dataset, element: PixelElement, syntax: UID, limits: Settings) -> StoredPixels:
    """The pixels of a parsed file, after every check that needs no decoding.

    Raises ``UnreadableStudyError`` where header and pixel data contradict each other or the
    compression is not read; ``TooLargeError`` over the bounds of ``limits``.
    """
    layout = _layout(header, element)
    check_extent(layout.rows, layout.columns, layout.frames, layout.samples * max(layout.bits_allocated / 8, 1), limits)
    if syntax in MPEGTransferSyntaxes:
        raise UnreadableStudyError("The file holds a video; export the frames to be read as images.")
    if syntax in (*_PLUGINS, *_ISOLATED, RLELossless):
        _check_fragments(element, layout)
        return StoredPixels(element, syntax, layout)
    if not syntax.is_transfer_syntax or syntax.is_encapsulated:
        raise UnreadableStudyError("The image is compressed in a way that is not read here; export it uncompressed.")
    # Deflated files were inflated as a whole: their pixels lie there in little endian.
    native = ExplicitVRBigEndian if syntax == ExplicitVRBigEndian else ExplicitVRLittleEndian
    return StoredPixels(element, native, _check_length(element, layout))


def _layout(header: Dataset, element: PixelElement) -> Layout:
    rows, columns = integer(header, "Rows"), integer(header, "Columns")
    samples = integer(header, "SamplesPerPixel") or 1
    allocated = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(
        element.keyword, integer(header, "BitsAllocated") or 0
    )
    if rows is None or columns is None or not 0 < rows < 2**16 or not 0 < columns < 2**16:
        raise UnreadableStudyError("The header does not give the image's rows and columns; export the file again.")
    if allocated not in (1, 8, 16, 32) and element.keyword != "DoubleFloatPixelData":
        raise UnreadableStudyError("The header gives pixels of a size that no image has; export the file again.")
    photometric = word(header, "PhotometricInterpretation") or ("MONOCHROME2" if samples == 1 else "RGB")
    if (samples, photometric) not in (*((3, one) for one in _COLOURS), *((1, one) for one in _GREYS)):
        raise UnreadableStudyError(
            "The header gives the image a colour space that is not read; export it in grey or RGB."
        )
    stored = integer(header, "BitsStored") or allocated
    return Layout(
        rows,
        columns,
        integer(header, "NumberOfFrames") or 1,
        samples,
        allocated,
        min(max(stored, 1), allocated),
        integer(header, "PixelRepresentation") == 1,
        1 if integer(header, "PlanarConfiguration") == 1 else 0,
        photometric,
    )


def _check_length(element: PixelElement, layout: Layout) -> Layout:
    """Raises when native pixel data is cut off; corrects a colour space that the length disproves."""
    bits = layout.frame_samples * layout.frames * layout.bits_allocated
    expected = math.ceil(bits / 8)
    if layout.photometric == "YBR_FULL_422":
        if len(element.data) >= expected:
            layout = replace(layout, photometric="YBR_FULL")
        else:
            expected = expected // 3 * 2
    if len(element.data) < expected:
        raise UnreadableStudyError(
            "The pixel data is shorter than the header says: the file was cut off. Copy it again."
        )
    return layout


def _check_fragments(element: PixelElement, layout: Layout) -> None:
    """Raises when there are fewer compressed fragments than frames."""
    stream = MeteredBytes(element.data)
    try:
        parse_basic_offsets(stream)
        fragments, _ = parse_fragments(stream)
    except FAULTS:
        raise UnreadableStudyError("The compressed pixel data is broken or cut off; copy the file again.") from None
    if fragments < layout.frames:
        raise UnreadableStudyError("The file holds fewer frames than the header says: it was cut off. Copy it again.")


def _check_size(size: codestream.Codestream, layout: Layout) -> None:
    if (size.rows, size.columns, size.components) != (layout.rows, layout.columns, layout.samples):
        raise UnreadableStudyError("The compressed picture is of another size than the header says; export it again.")
    if size.precision > max(layout.bits_allocated, 8):
        raise UnreadableStudyError("The compressed picture has more bits than the header says; export it again.")


def _plain(layout: Layout, planar: int) -> Layout:
    """The layout of samples that a decoder gave out whole: by plane or by pixel, and with full chrominance."""
    photometric = "YBR_FULL" if layout.photometric == "YBR_FULL_422" else layout.photometric
    return replace(layout, planar=planar, photometric=photometric)


def _isolated(coded: bytes, syntax: UID, layout: Layout, precision: int) -> tuple[bytes, Layout]:
    """A frame decoded in a process of its own (see ``isolated``), and the layout of its samples."""
    options = {
        "rows": layout.rows,
        "columns": layout.columns,
        "samples_per_pixel": layout.samples,
        "bits_allocated": layout.bits_allocated,
        "bits_stored": layout.bits_stored,
        "pixel_representation": int(layout.signed),
        "planar_configuration": layout.planar,
        "photometric_interpretation": layout.photometric,
        "transfer_syntax": str(syntax),
    }
    try:
        run = subprocess.run(
            [sys.executable, "-I", str(Path(isolated.__file__)), json.dumps(options)],
            input=coded,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=isolated.SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnreadableStudyError("The compressed picture takes too long to decode; export it uncompressed.") from None
    planar, samples = run.stdout[:1], run.stdout[1:]
    bits, rest = divmod(8 * len(samples), layout.frame_samples)
    if run.returncode != 0 or rest or bits not in (8, layout.bits_allocated):
        raise UnreadableStudyError("The compressed picture is broken; export or copy the file again.")
    stored = min(precision, bits) if syntax in _JPEG_LS else min(layout.bits_stored, bits)
    return samples, replace(_plain(layout, planar[0]), bits_allocated=bits, bits_stored=stored)
