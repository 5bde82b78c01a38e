"""Stored colour samples to RGB: palettes, luminance and chrominance, more than eight bits.

Sources: PS3.3 C.7.6.3.1.2 (photometric interpretation), C.7.6.3.1.5 and .6 and C.7.9 (palettes).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.processing import convert_color_space

from tools.errors import UnreadableStudyError
from tools.imaging.header import numbers
from tools.imaging.presentation import lookup_entries

_CHANNELS = ("Red", "Green", "Blue")
_MOST_ENTRIES = 65_536


@dataclass(frozen=True)
class Palette:
    """Colours uint8 ``(N, 3)``, of which the first is for stored value ``first``."""

    first: int
    colours: NDArray[np.uint8]

    def apply(self, stored: NDArray[np.generic]) -> NDArray[np.uint8]:
        """RGB ``(H, W, 3)`` of stored indices ``(H, W)``; indices outside take the nearest end."""
        index = stored.astype(np.int64) - self.first
        return self.colours[np.clip(index, 0, len(self.colours) - 1)]


def palette(header: Dataset, little_endian: bool) -> Palette:
    """The palette of a PALETTE COLOR image. Raises ``UnreadableStudyError`` when it is missing or broken."""
    channels = []
    first = 0
    for channel in _CHANNELS:
        descriptor = numbers(header, f"{channel}PaletteColorLookupTableDescriptor")
        if len(descriptor) != 3:
            raise _broken_palette()
        count, first, bits = int(descriptor[0]) or _MOST_ENTRIES, int(descriptor[1]), int(descriptor[2])
        data = header.get(f"{channel}PaletteColorLookupTableData")
        segmented = header.get(f"Segmented{channel}PaletteColorLookupTableData")
        if data is None and isinstance(segmented, bytes):
            entries = _expand(segmented, bits, count, little_endian)
        else:
            entries = lookup_entries(data, count, little_endian)
        if entries is None:
            raise _broken_palette()
        # Tables that say 16 bits and hold 8-bit entries are common: what the entries need decides.
        deep = bits > 8 and (entries.max() > 255 or segmented is not None)
        channels.append((entries / 256 if deep else np.minimum(entries, 255)).astype(np.uint8))
    if len({len(channel) for channel in channels}) != 1:
        raise _broken_palette()
    return Palette(first, np.stack(channels, axis=1))


def rgb(stored: NDArray[np.generic], photometric: str, bits: int) -> NDArray[np.uint8]:
    """RGB uint8 ``(H, W, 3)`` of stored samples ``(H, W, 3)`` of ``bits`` each."""
    if stored.dtype != np.uint8:
        unsigned = np.clip(stored.astype(np.int64), 0, None)
        stored = np.minimum(unsigned >> max(bits - 8, 0), 255)
    samples = stored.astype(np.uint8)
    if photometric in ("YBR_FULL", "YBR_FULL_422"):
        converted: NDArray[np.uint8] = convert_color_space(samples, "YBR_FULL", "RGB")
        return converted
    return samples


def _expand(data: bytes, bits: int, count: int, little_endian: bool) -> NDArray[np.float32] | None:
    """A segmented table (PS3.3 C.7.9.2) written out, never beyond ``count`` entries."""
    dtype = np.dtype(np.uint8) if bits <= 8 else np.dtype("<u2" if little_endian else ">u2")
    words = np.frombuffer(data[: len(data) // dtype.itemsize * dtype.itemsize], dtype).tolist()
    out: list[float] = []
    try:
        _segments(words, 0, len(words), bits, count, out)
    except IndexError:
        return None
    return np.asarray(out[:count], np.float32) if len(out) >= count else None


def _segments(words: list[int], start: int, most: int, bits: int, count: int, out: list[float]) -> None:
    """Appends up to ``most`` segments. An indirect segment copies segments, which may not be indirect in turn."""
    position, done = start, 0
    nested = start != 0
    while position + 1 < len(words) and done < most and len(out) < count:
        opcode, length = words[position], words[position + 1]
        position += 2
        if opcode == 0:
            out.extend(words[position : position + length])
            position += length
        elif opcode == 1 and out and length:
            out.extend(np.rint(np.linspace(out[-1], words[position], length + 1)[1:]).tolist())
            position += 1
        elif opcode == 2 and not nested:
            size = 4 if bits <= 8 else 2
            parts = words[position : position + size]
            shift = 8 if bits <= 8 else 16
            offset = sum(part << shift * i for i, part in enumerate(parts))
            if not 0 < offset < len(words):
                raise IndexError(offset)
            _segments(words, offset, length, bits, count, out)
            position += size
        else:
            raise IndexError(opcode)
        done += 1


def _broken_palette() -> UnreadableStudyError:
    return UnreadableStudyError("The image's colour table is missing or broken; export the image in grey or RGB.")
