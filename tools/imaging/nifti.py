"""A NIfTI volume as a study of slices. Sources: the NIfTI-1.1 and NIfTI-2 header definitions (nifti1.h, nifti2.h).

A slice is shown as radiologists look at it: the patient's right on the left of the picture and the front above
(axial), the head above (coronal, and sagittal with the front on the left). ``spacing_mm`` is that of the picture.
"""

import gzip
import hashlib
import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, TypeVar

import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.orientations import apply_orientation, io_orientation
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from overread.records import Context
from overread.settings import Settings
from tools.errors import TooLargeError, UnreadableStudyError
from tools.imaging.bounds import FAULTS, check_extent
from tools.imaging.spacing import plausible
from tools.imaging.study import Facts, Frame, HeaderStripper, Study
from tools.imaging.window import Presentation

T = TypeVar("T")

_GZIP_PART = b"\x1f\x8b\x08"
_KINDS: tuple[tuple[int, int, bytes, type[Nifti1Header]], ...] = (
    (348, 344, b"n+1\x00", Nifti1Header),
    (540, 4, b"n+2\x00", Nifti2Header),
)
_PROLOGUE = 540
_FAULTS: tuple[type[Exception], ...] = (*FAULTS, HeaderDataError)
_BYTES_A_GZIP_PART = 1_000
_MOST_GZIP_PARTS = 64
_SAMPLE = 200_000
_PERCENTILES = (0.5, 99.5)
_SAME = 0.01
_MILLIMETRES = 2
_TEXTS = ("descrip", "aux_file", "db_name", "intent_name")
_LONGEST_TEXT = 16_384
_PICTURE_AXES = {0: (1, 2), 1: (0, 2), 2: (0, 1)}
"""By the axis of the slices: which axis runs across the picture, from its right, and which one up."""


def read_gzip(data: bytes, stripper: HeaderStripper, limits: Settings) -> Study:
    """The study in a gzip file that holds a NIfTI volume. Its start is looked at before all of it is inflated."""
    # A file of many parts is legal; one of millions of empty ones would keep the reader busy for minutes.
    if data.count(_GZIP_PART) > _MOST_GZIP_PARTS + len(data) // _BYTES_A_GZIP_PART:
        raise UnreadableStudyError("The gzip file has far too many parts; compress it again.")
    if _kind(_inflated(data, _PROLOGUE)) is None:
        raise UnreadableStudyError("The file is a gzip archive of no NIfTI volume; unpack it and name an image file.")
    inflated = _inflated(data, limits.max_inflated_bytes + 1)
    if len(inflated) > limits.max_inflated_bytes:
        raise TooLargeError(
            f"The file inflates to more than {limits.max_inflated_bytes:,} bytes; "
            "give a smaller volume or raise OVERREAD_MAX_INFLATED_BYTES."
        )
    return read_nifti(inflated, stripper, limits)


def read_nifti(data: bytes, stripper: HeaderStripper, limits: Settings) -> Study:
    """The study in a NIfTI file: the slices of its first volume, across the axis that ``slice_axis`` names.

    The axes are turned to the nearest of right, front and head. Values are scaled by the header's slope
    and intercept. All text in the header and its extensions goes to ``stripper``; none is kept.

    Raises ``UnreadableStudyError`` or ``TooLargeError``; whatever ``stripper`` raises goes through.
    """
    header, texts = _guarded(lambda: _header(data))
    stripper.metadata(texts)
    volume = _guarded(lambda: _volume(header, data, limits))
    spacing = _guarded(lambda: _spacing_mm(header))
    across, up = (volume.stored_axes[axis] for axis in _PICTURE_AXES[volume.axis])
    along = volume.stored_axes[volume.axis]
    facts = Facts(
        None,
        volume.frames,
        volume.size,
        (spacing[up], spacing[across]) if spacing else None,
        Context(),
        None,
        spacing[along] if spacing and volume.frames > 1 else None,
        source_bytes=max(len(data), volume.voxels.nbytes),
    )
    middle = volume.frames // 2
    content = hashlib.sha256(data).hexdigest()
    return Study(secrets.token_hex(8), content, facts, volume, volume(middle), middle)


def slice_axis(shape: tuple[int, ...], spacing: tuple[float, ...]) -> int:
    """The axis of (right, front, head) that the slices are counted along.

    An axis with one voxel; else the one with clearly the largest spacing; else, of those, the one with
    the fewest voxels; else the one nearest to the head.
    """
    widest = max(spacing)
    single = [axis for axis in range(3) if shape[axis] == 1]
    coarse = single or [axis for axis in range(3) if spacing[axis] >= widest * (1 - _SAME)]
    return min(coarse, key=lambda axis: (shape[axis], -axis))


@dataclass(frozen=True)
class _Slices:
    """A volume ``(right, front, head)``, or with three colours behind, out of which slices are cut.

    ``stored_axes`` says which axis of the file each of the three was.
    """

    voxels: NDArray[Any]
    scale: tuple[float, float]
    presentation: Presentation
    axis: int
    stored_axes: tuple[int, int, int]

    @property
    def frames(self) -> int:
        """Slices."""
        return int(self.voxels.shape[self.axis])

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of a slice."""
        across, up = _PICTURE_AXES[self.axis]
        return int(self.voxels.shape[up]), int(self.voxels.shape[across])

    def __call__(self, index: int) -> Frame:
        cut = self.voxels.take(index, axis=self.axis)
        # Right, front and head grow along the axes; a picture is read from the top left.
        picture = np.ascontiguousarray(cut.swapaxes(0, 1)[::-1, ::-1])
        if self.voxels.ndim == 4:
            return Frame(rgb=picture)
        values = _scaled(picture, self.scale)
        void = ~np.isfinite(values)
        return Frame(
            values=values, presentation=self.presentation, void=void if void.any() and not void.all() else None
        )


def _kind(data: bytes) -> tuple[type[Nifti1Header], int, str] | None:
    """The header's class, its length, and its byte order as ``struct`` writes it."""
    for length, offset, magic, header in _KINDS:
        if len(data) >= length and data[offset : offset + 4] == magic:
            for order in "<>":
                if struct.unpack(f"{order}i", data[:4])[0] == length:
                    return header, length, order
    return None


def _inflated(data: bytes, most: int) -> bytes:
    try:
        with gzip.GzipFile(fileobj=BytesIO(data)) as stream:
            return stream.read(most)
    except FAULTS:
        raise UnreadableStudyError("The gzip file is broken or cut off; copy it again.") from None


def _guarded(work: Callable[[], T]) -> T:
    try:
        with np.errstate(all="ignore"):
            return work()
    except UnreadableStudyError:
        raise
    except _FAULTS:
        raise UnreadableStudyError("The NIfTI header is broken or of a rare kind; convert the volume again.") from None


def _header(data: bytes) -> tuple[Nifti1Header, dict[str, str]]:
    """The header and all its text. Zeros and signs that many programs leave wrong are put right."""
    found = _kind(data)
    if found is None:
        raise UnreadableStudyError("The NIfTI header is broken; convert the volume again.")
    kind, length, order = found
    # Not by the library's own check, which writes to the log what it found.
    header = kind(data[:length], endianness=order, check=False)
    sizes = header["pixdim"]
    if sizes[0] not in (-1, 1):
        sizes[0] = 1
    sizes[1:4] = np.abs(sizes[1:4])
    for axis in range(1, 4):
        if sizes[axis] == 0 and (axis > header["dim"][0] or header["dim"][axis] == 1):
            sizes[axis] = 1
    return header, _texts(header, data)


def _texts(header: Nifti1Header, data: bytes) -> dict[str, str]:
    """All text of the header by field, and the extensions, which may hold anything: a DICOM header for one."""
    fields = set(header.keys())
    values = {name: bytes(header[name].tobytes()) for name in _TEXTS if name in fields}
    start = int(header["sizeof_hdr"]) + 4
    values["extensions"] = data[start : max(start, min(_offset(header), len(data)))][:_LONGEST_TEXT]
    texts = {name: value.decode("utf-8", "replace").replace("\x00", " ").strip() for name, value in values.items()}
    return {name: text for name, text in texts.items() if text}


def _offset(header: Nifti1Header) -> int:
    return max(int(header["vox_offset"]), int(header["sizeof_hdr"]) + 4)


def _volume(header: Nifti1Header, data: bytes, limits: Settings) -> _Slices:
    shape = tuple(header.get_data_shape())
    if not 2 <= len(shape) <= 7 or any(one < 1 for one in shape):
        raise UnreadableStudyError("The NIfTI header gives the volume no extent; convert the volume again.")
    shape = (*shape, 1)[:3]
    stored = header.get_data_dtype()
    colour = stored.names is not None
    if stored.kind not in "iufV" or stored.itemsize > 8 or (colour and stored.itemsize > 4):
        raise UnreadableStudyError("The volume holds numbers of a kind that is not read; convert it to float32.")
    affine = header.get_best_affine()
    spacing = tuple(float(one) for one in np.sqrt((affine[:3, :3] ** 2).sum(axis=0)))
    turn = io_orientation(affine)
    if not np.isfinite(affine).all() or not np.isfinite(turn).all():
        raise UnreadableStudyError("The NIfTI header gives the volume no orientation; convert the volume again.")
    stored_axes = tuple(int(axis) for axis in np.argsort(turn[:, 0]))
    turned = tuple(shape[axis] for axis in stored_axes)
    axis = slice_axis(turned, tuple(spacing[one] for one in stored_axes))
    across, up = _PICTURE_AXES[axis]
    check_extent(turned[up], turned[across], turned[axis], max(stored.itemsize, 4), limits)
    count = shape[0] * shape[1] * shape[2]
    if len(data) - _offset(header) < count * stored.itemsize:
        raise UnreadableStudyError("The volume is shorter than its header says: it was cut off. Copy it again.")
    voxels = np.frombuffer(data, stored, count, _offset(header)).reshape(shape, order="F")
    if colour:
        voxels = np.stack([voxels[name] for name in stored.names[:3]], axis=-1)
    turned_voxels = apply_orientation(voxels, turn)
    slope, intercept = header.get_slope_inter()
    scale = (1.0, 0.0) if slope is None or colour else (slope, intercept or 0.0)
    presentation = Presentation() if colour else Presentation(span=_span(voxels, scale))
    return _Slices(turned_voxels, scale, presentation, axis, (stored_axes[0], stored_axes[1], stored_axes[2]))


def _scaled(stored: NDArray[Any], scale: tuple[float, float]) -> NDArray[np.float32]:
    slope, intercept = scale
    if scale == (1.0, 0.0):
        return stored.astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        return (stored.astype(np.float64) * slope + intercept).astype(np.float32)


def _span(voxels: NDArray[Any], scale: tuple[float, float]) -> tuple[float, float] | None:
    """One range from black to white for all slices: between two percentiles of the volume, or all of it."""
    flat = voxels.reshape(-1, order="F")
    values = _scaled(flat[:: max(1, flat.size // _SAMPLE)], scale)
    values = values[np.isfinite(values)]
    if not values.size:
        return None
    low, high = (float(one) for one in np.percentile(values, _PERCENTILES))
    if high <= low:
        low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else None


def _spacing_mm(header: Nifti1Header) -> tuple[float, float, float] | None:
    """The spacing along the axes of the file, where its unit is said to be mm and the affine agrees with it."""
    if int(header["xyzt_units"]) % 8 != _MILLIMETRES:
        return None
    lengths = np.sqrt((header.get_best_affine()[:3, :3] ** 2).sum(axis=0))
    if not np.allclose(lengths, header["pixdim"][1:4], rtol=_SAME) or not plausible(*lengths):
        return None
    return float(lengths[0]), float(lengths[1]), float(lengths[2])
