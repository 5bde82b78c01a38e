"""What a compressed frame says of its own size, read before a decoder allocates by it.

A decoder trusts the codestream, not the DICOM header: a codestream that claims other dimensions
than the header is refused here, before any decoder sees it.
Sources: ITU-T T.81 B.2.2 (JPEG), T.87 C.2.2 (JPEG-LS), T.800 A.5.1 (JPEG 2000).
"""

from dataclasses import dataclass
from struct import unpack_from

from tools.errors import UnreadableStudyError

MOST_SCANS = 64
"""Scans in one JPEG. Every scan passes over all pixels; real encoders write up to about a dozen."""

MOST_TILES = 16_384
"""Tiles in one JPEG 2000 picture."""

_SOF = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0), 0xF7))
_STANDALONE = frozenset((0x01, *range(0xD0, 0xD9)))


@dataclass(frozen=True)
class Codestream:
    """Size of a compressed picture: rows, columns, components, and bits of one sample."""

    rows: int
    columns: int
    components: int
    precision: int


def jpeg(data: bytes) -> Codestream:
    """The frame header of a JPEG or JPEG-LS codestream. Raises ``UnreadableStudyError`` when it has none."""
    if data[:2] != b"\xff\xd8":
        raise _broken()
    if data.count(b"\xff\xda") > MOST_SCANS:
        raise UnreadableStudyError("The compressed picture has far too many scans; export it again as baseline JPEG.")
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            raise _broken()
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker in _STANDALONE:
            position += 2
            continue
        (length,) = unpack_from(">H", data, position + 2)
        if length < 2:
            raise _broken()
        if marker in _SOF:
            if position + 10 > len(data):
                raise _broken()
            precision, rows, columns, components = unpack_from(">BHHB", data, position + 4)
            return Codestream(rows, columns, components, precision)
        position += 2 + length
    raise _broken()


def jpeg_2000(data: bytes) -> tuple[Codestream, bytes]:
    """The size of a JPEG 2000 picture, and its bare codestream (out of the JP2 boxes, where it is in some)."""
    data = _unboxed(data)
    if data[:4] != b"\xff\x4f\xff\x51" or len(data) < 45:
        raise _broken()
    x1, y1, x0, y0, tile_x, tile_y, tile_x0, tile_y0, components = unpack_from(">8IH", data, 8)
    steps = data[42 : 42 + 3 * components]
    if components < 1 or len(steps) < 3 * components or x1 <= x0 or y1 <= y0 or not tile_x or not tile_y:
        raise _broken()
    if any(steps[i + 1] != 1 or steps[i + 2] != 1 for i in range(0, len(steps), 3)):
        raise UnreadableStudyError("The compressed picture has subsampled colours; export it again without.")
    if -(-(x1 - tile_x0) // tile_x) * -(-(y1 - tile_y0) // tile_y) > MOST_TILES:
        raise UnreadableStudyError("The compressed picture has far too many tiles; export it again in larger tiles.")
    return Codestream(y1 - y0, x1 - x0, components, (steps[0] & 0x7F) + 1), data


def _unboxed(data: bytes) -> bytes:
    if data[4:8] != b"jP  ":
        return data
    position = 0
    while position + 8 <= len(data):
        (length,) = unpack_from(">I", data, position)
        if data[position + 4 : position + 8] == b"jp2c":
            return data[position + 8 :]
        if length < 8:
            break
        position += length
    raise _broken()


def _broken() -> UnreadableStudyError:
    return UnreadableStudyError(
        "The compressed picture is broken or of another kind than its header says; export it again."
    )
