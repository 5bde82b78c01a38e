"""Takes everything but the picture out of a PNG or JPEG file, without decoding it, and blacks out regions.

Sources: PNG (ISO/IEC 15948) sections 5 and 11; JPEG: ITU-T T.81, B.1.1 and B.2; JFIF: T.871, 10.1.
"""

import zlib
from collections.abc import Sequence
from io import BytesIO
from struct import pack, unpack_from

from guardrails.errors import PictureError
from overread.records import Box

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"pHYs"}
)
"""Chunks that pixels are decoded and shown by. Each has a fixed form with no room for text."""

_JFIF, _ADOBE = b"JFIF\0", b"Adobe"
_SOS, _EOI = 0xDA, 0xD9


def without_metadata(data: bytes) -> bytes:
    """The same picture with no text, EXIF, profile, thumbnail or trailing data. Raises ``PictureError``."""
    if data.startswith(_PNG):
        return _png(data)
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    raise PictureError("the file is neither PNG nor JPEG")


def without_regions(data: bytes, boxes: Sequence[Box]) -> bytes:
    """The picture with half-open boxes black: PNG as exact as before, JPEG compressed once more at quality 95."""
    if not boxes:
        return data
    from PIL import Image

    with Image.open(BytesIO(data), formats=["PNG", "JPEG"]) as image:
        masked = image.convert("RGBA" if image.has_transparency_data else "RGB") if image.mode == "P" else image
        black = (0, 0, 0, 255) if masked.mode in ("RGBA", "CMYK") else 0
        for box in boxes:
            masked.paste(black, box)
        out = BytesIO()
        if image.format == "PNG":
            masked.save(out, "PNG")
        else:
            masked.save(out, "JPEG", quality=95, subsampling=0)
    return without_metadata(out.getvalue())


def _png(data: bytes) -> bytes:
    parts, at = [_PNG], len(_PNG)
    while at + 12 <= len(data):
        (length,) = unpack_from(">I", data, at)
        kind, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data):
            break
        if kind in _PNG_KEPT:
            body = data[at + 4 : end - 4]
            parts.append(pack(">I", length) + body + pack(">I", zlib.crc32(body)))
        if kind == b"IEND":
            return b"".join(parts)
        at = end
    raise PictureError("the PNG file is cut off or broken; save or copy it again")


def _jpeg(data: bytes) -> bytes:
    parts, at = [b"\xff\xd8"], 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == _EOI:
            break
        (length,) = unpack_from(">H", data, at + 2)
        end = at + 2 + length
        if length < 2 or end > len(data):
            raise _broken_jpeg()
        kept = _segment(marker, data[at + 4 : end])
        if kept is not None:
            parts.append(pack(">BBH", 0xFF, marker, len(kept) + 2) + kept)
        at = end
        if marker == _SOS:
            stop = _scan_end(data, end)
            parts.append(data[end:stop])
            at = stop
    if data[at : at + 2] != b"\xff\xd9":
        raise _broken_jpeg()
    return b"".join(parts) + b"\xff\xd9"


def _segment(marker: int, body: bytes) -> bytes | None:
    """What stays of a segment: all of a coding segment, the fixed head of JFIF and Adobe, nothing of the rest."""
    if marker == 0xE0 and body.startswith(_JFIF) and len(body) >= 14:
        return body[:12] + b"\0\0"
    if marker == 0xEE and body.startswith(_ADOBE) and len(body) >= 12:
        return body[:12]
    return None if 0xE0 <= marker <= 0xEF or marker == 0xFE else body


def _scan_end(data: bytes, at: int) -> int:
    """Where the entropy-coded data from ``at`` ends: at the next marker that is no restart and no stuffed byte."""
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        following = data[at + 1]
        if following and following != 0xFF and not 0xD0 <= following <= 0xD7:
            return at
        at += 1 if following == 0xFF else 2
    raise _broken_jpeg()


def _broken_jpeg() -> PictureError:
    return PictureError("the JPEG file is cut off or broken; save or copy it again")
