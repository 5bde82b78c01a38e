"""What a header says of grey values: their unit, their window, what is padding. Numbers only, no identity.

Sources: PS3.3 C.7.6.3.1 (image pixel), C.7.5.1.1.2 (padding), C.7.6.16.2.9 and .10 (functional groups).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from overread.packaged import packaged_yaml
from tools.imaging.header import frame_groups, has_functional_groups, integer, items, number, numbers, word
from tools.imaging.window import Presentation, Rescale, Table, Window, WindowFunction

_FUNCTIONS: tuple[WindowFunction, ...] = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
_MOST_ENTRIES = 65_536


@dataclass(frozen=True)
class GreyScale:
    """How one frame's stored values become values in the modality's unit, and a picture.

    ``padding`` is the closed range of stored values that are no image, or ``None``.
    """

    rescale: Rescale
    presentation: Presentation
    padding: tuple[float, float] | None = None


@lru_cache(maxsize=1)
def _defaults() -> dict[str, dict[str, list[float]]]:
    loaded: dict[str, dict[str, list[float]]] = packaged_yaml("tools.imaging", "data/windows.yaml")
    return loaded


def grey_scales(
    header: Dataset, modality: str | None, frames: int, photometric: str, little_endian: bool
) -> tuple[GreyScale, ...]:
    """The grey scale of each frame; one for all frames where the header has no functional groups."""
    tables = _modality_table(header, little_endian), _voi_table(header, little_endian)
    padding = _padding(header)
    inverted = photometric == "MONOCHROME1" or word(header, "PresentationLUTShape") == "INVERSE"
    if modality == "SEG":
        return (GreyScale(Rescale(), Presentation(span=(0, _full_mask(header)))),)
    count = frames if has_functional_groups(header) else 1
    return tuple(_grey_scale(header, frame, modality, tables, padding, inverted) for frame in range(count))


def _grey_scale(
    header: Dataset,
    frame: int,
    modality: str | None,
    tables: tuple[Table | None, Table | None],
    padding: tuple[float, float] | None,
    inverted: bool,
) -> GreyScale:
    rescale, unit = _rescale(header, frame, tables[0])
    window = _window(header, frame)
    default = _defaults().get(modality or "other", _defaults()["other"])
    span = None
    if window is None and tables[1] is None:
        if "window" in default and unit == "HU":
            center, width = default["window"]
            window = Window(center, width)
        elif rescale == Rescale() and integer(header, "PixelRepresentation") == 0:
            span = _whole_byte(header)
    low, high = default["percentiles"]
    return GreyScale(rescale, Presentation(tables[1], window, span, (low, high), inverted), padding)


def _rescale(header: Dataset, frame: int, table: Table | None) -> tuple[Rescale, str]:
    """The rescale of a frame, and its unit: ``HU`` where the header says so, or leaves it to the standard to say."""
    if table is not None:
        return Rescale(table=table), ""
    dose = number(header, "DoseGridScaling")
    if dose:
        return Rescale(slope=dose), "GY"
    for group in frame_groups(header, frame, "PixelValueTransformationSequence"):
        slope, intercept = number(group, "RescaleSlope"), number(group, "RescaleIntercept")
        if slope and intercept is not None:
            # PS3.3 C.8.2.1: Rescale Type may be left out of a CT image only when it is HU.
            return Rescale(slope, intercept), word(group, "RescaleType") or "HU"
    return Rescale(), ""


def _window(header: Dataset, frame: int) -> Window | None:
    """The first window of a frame that is one."""
    for group in frame_groups(header, frame, "FrameVOILUTSequence"):
        named = word(group, "VOILUTFunction")
        function: WindowFunction = next((one for one in _FUNCTIONS if one == named), "LINEAR")
        least = 1.0 if function == "LINEAR" else 0.0
        for center, width in zip(numbers(group, "WindowCenter"), numbers(group, "WindowWidth"), strict=False):
            if width >= least and width > 0:
                return Window(center, width, function)
    return None


def _whole_byte(header: Dataset) -> tuple[float, float] | None:
    """Eight-bit images are made to be shown as they are."""
    bits = integer(header, "BitsStored")
    return (0, 2**bits - 1) if bits is not None and 1 <= bits <= 8 else None


def _full_mask(header: Dataset) -> float:
    fractional = word(header, "SegmentationType") == "FRACTIONAL"
    return float(max(integer(header, "MaximumFractionalValue") or 255, 1)) if fractional else 1.0


def _padding(header: Dataset) -> tuple[float, float] | None:
    """The range of padding values. A value of VR US is read again as signed where pixels are signed."""
    value = number(header, "PixelPaddingValue")
    if value is None:
        return None
    limit = number(header, "PixelPaddingRangeLimit")
    bits = integer(header, "BitsAllocated") or 16
    ends = [value, value if limit is None else limit]
    if integer(header, "PixelRepresentation") == 1:
        ends = [end - 2**bits if end >= 2 ** (bits - 1) else end for end in ends]
    return min(ends), max(ends)


def _modality_table(header: Dataset, little_endian: bool) -> Table | None:
    for item in items(header, "ModalityLUTSequence")[:1]:
        return _table(item, little_endian, header)
    return None


def _voi_table(header: Dataset, little_endian: bool) -> Table | None:
    """The VOI table with entries in [0, 1]."""
    for item in items(header, "VOILUTSequence")[:1]:
        table = _table(item, little_endian, header)
        if table is None:
            return None
        bits = numbers(item, "LUTDescriptor")[2]
        top = max(2.0 ** min(max(bits, 1), 16) - 1, float(table.entries.max()))
        return Table(table.first, table.entries / np.float32(top))
    return None


def _table(item: Dataset, little_endian: bool, header: Dataset) -> Table | None:
    """A table from its descriptor (entries, first input, bits) and data; ``None`` when they do not fit together."""
    descriptor = numbers(item, "LUTDescriptor")
    if len(descriptor) != 3:
        return None
    count = int(descriptor[0]) or _MOST_ENTRIES
    first = descriptor[1]
    if integer(header, "PixelRepresentation") == 1 and first >= 2**15 and not numbers(header, "RescaleIntercept"):
        first -= 2**16
    entries = lookup_entries(item.get("LUTData"), count, little_endian)
    return None if entries is None else Table(first, entries)


def lookup_entries(data: object, count: int, little_endian: bool) -> NDArray[np.float32] | None:
    """``count`` entries of table data: numbers, 16-bit words, or bytes where there is one for each entry."""
    if isinstance(data, bytes):
        if len(data) >= 2 * count:
            found: NDArray[np.generic] = np.frombuffer(data, "<u2" if little_endian else ">u2", count)
        elif len(data) >= count:
            found = np.frombuffer(data, np.uint8, count)
        else:
            return None
        return found.astype(np.float32)
    try:
        values = np.asarray(data, dtype=np.float32).reshape(-1)
    except (TypeError, ValueError):
        return None
    return values[:count] if 0 < count <= values.size else None
