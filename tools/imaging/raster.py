"""PNG, JPEG and the like as a study, through Pillow and an explicit list of its formats.

Pixels are as stored: EXIF orientation is not applied (see ``Study``). No such file states a spacing
that could be trusted: a dpi is that of a screen or a printer, so ``spacing_mm`` is ``None``.
"""

import hashlib
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from overread.records import Context
from overread.settings import Settings
from tools.errors import TooLargeError, UnreadableStudyError
from tools.imaging.bounds import FAULTS, check_extent
from tools.imaging.codestream import MOST_SCANS
from tools.imaging.dataset import hush
from tools.imaging.study import Facts, Frame, HeaderStripper, Study
from tools.imaging.window import Presentation

SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"BM", "BMP"),
    (b"RIFF", "WEBP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
)
"""The first bytes of each kind of file, and the one Pillow plugin that may open it."""

_GREY_MODES = frozenset(("1", "L", "I", "I;16", "I;16B", "I;16L", "F"))
_LONGEST_TEXT = 16_384
_MOST_TEXTS = 2_000
_MOST_TAGS = 500_000


def read_raster(data: bytes, kind: str, stripper: HeaderStripper, limits: Settings) -> Study:
    """The study in an image file of Pillow format ``kind``.

    The pages of a TIFF that have the size of the first are its frames; smaller copies of a picture and
    thumbnails are left out. Of other files only the first picture is read. Raises
    ``UnreadableStudyError`` or ``TooLargeError``; whatever ``stripper`` raises goes through.
    """
    hush()
    if kind == "JPEG" and data.count(b"\xff\xda") > MOST_SCANS:
        raise UnreadableStudyError("The JPEG has far too many scans; save it again as a baseline JPEG.")
    # Opening reads the header alone; nothing is decoded before its size is checked.
    with _opened(data, kind) as image:
        width, height = image.size
        bytes_per_pixel = 4 if image.mode in ("I", "F") else max(len(image.getbands()), 1)
        check_extent(height, width, 1, bytes_per_pixel, limits)
        frame = _decoded(image)
        texts = dict(_texts(image))
        pages = _pages(image, texts, limits) if kind == "TIFF" else [0]
        check_extent(height, width, len(pages), bytes_per_pixel, limits)
    stripper.metadata(texts)
    source = len(data) if len(pages) > 1 else 0
    facts = Facts(None, len(pages), (height, width), None, Context(), None, source_bytes=source)
    decode = _Pages(data, kind, tuple(pages)) if len(pages) > 1 else lambda _index: frame
    return Study(secrets.token_hex(8), hashlib.sha256(data).hexdigest(), facts, decode, frame)


@dataclass(frozen=True)
class _Pages:
    """Decodes one page at a time."""

    data: bytes
    kind: str
    pages: tuple[int, ...]

    def __call__(self, index: int) -> Frame:
        with _opened(self.data, self.kind) as image:
            image.seek(self.pages[index])
            return _decoded(image)


@contextmanager
def _opened(data: bytes, kind: str) -> Iterator[Image.Image]:
    """The image, and every fault in what is done with it as one of our errors."""
    try:
        with Image.open(BytesIO(data), formats=[kind]) as image:
            yield image
    except UnreadableStudyError:
        raise
    except Image.DecompressionBombError:
        raise TooLargeError("The image has too many pixels to be opened; give a smaller one.") from None
    except FAULTS:
        raise UnreadableStudyError(
            f"The {kind} file is broken, cut off or of a rare kind; save or copy it again."
        ) from None


def _pages(image: Image.Image, texts: dict[str, str], limits: Settings) -> list[int]:
    """The pages of a TIFF that are like its first. What text the others add goes to ``texts``."""
    size, bands, pages, tags = image.size, len(image.getbands()), [0], 0
    for page in range(1, limits.max_frames + 1):
        try:
            image.seek(page)
        except EOFError:
            return pages
        tags += len(image.getexif())
        if tags > _MOST_TAGS:
            raise TooLargeError("The TIFF has far too many tags; save its pages as files of their own.")
        if (image.size, len(image.getbands())) == (size, bands):
            pages.append(page)
        for name, text in _texts(image):
            if texts.get(name) != text and len(texts) < _MOST_TEXTS:
                texts[f"{name} of page {page}" if name in texts else name] = text
    raise TooLargeError(f"The file has more than {limits.max_frames:,} pages; give fewer or raise OVERREAD_MAX_FRAMES.")


def _decoded(image: Image.Image) -> Frame:
    image.load()
    return _frame(image)


def _frame(image: Image.Image) -> Frame:
    """Grey values, or RGB. Colour files whose channels are all equal are grey, as many X-rays are stored."""
    if image.mode in _GREY_MODES:
        stored = np.asarray(image)
        values = stored.astype(np.float32)
        if stored.dtype == np.bool_:
            values *= 255
        span = (0.0, 255.0) if image.mode in ("1", "L") else None
        return Frame(values=values, presentation=Presentation(span=span))
    rgb = _on_black(image)
    red = rgb[:, :, 0]
    if np.array_equal(red, rgb[:, :, 1]) and np.array_equal(red, rgb[:, :, 2]):
        return Frame(values=red.astype(np.float32), presentation=Presentation(span=(0.0, 255.0)))
    return Frame(rgb=rgb)


def _on_black(image: Image.Image) -> NDArray[np.uint8]:
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        ground = Image.new("RGBA", layer.size, (0, 0, 0, 255))
        return np.asarray(Image.alpha_composite(ground, layer).convert("RGB"))
    return np.asarray(image.convert("RGB"))


def _texts(image: Image.Image) -> Iterator[tuple[str, str]]:
    """All text that came with the picture, by name: text chunks, comments, XMP, EXIF."""
    found = list(_named(image.info)) + list(_named(getattr(image, "text", {})))
    exif = image.getexif()
    found += [(ExifTags.TAGS.get(tag, str(tag)), _text(value)) for tag, value in exif.items()]
    for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        found += [(ExifTags.TAGS.get(tag, str(tag)), _text(value)) for tag, value in exif.get_ifd(directory).items()]
    yield from ((name, text) for name, text in found[:_MOST_TEXTS] if text)


def _named(info: Mapping[str | tuple[int, int], object]) -> Iterator[tuple[str, str]]:
    for name, value in info.items():
        if name not in ("exif", "icc_profile", "photoshop") and isinstance(value, str | bytes):
            yield str(name), _text(value)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace").replace("\x00", "")
    return str(value)[:_LONGEST_TEXT].strip()
