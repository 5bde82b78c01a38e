"""DICOM bytes to a data set: parsed within bounds, with the pixel data taken out of it.

Sources: PS3.10 section 7 (file format), PS3.5 section 7 (data set) and annex A (transfer syntaxes).
"""

import logging
import warnings
from dataclasses import dataclass

from pydicom import Dataset, dcmread
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from overread.settings import Settings
from tools.errors import TooLargeError, UnreadableStudyError
from tools.imaging.bounds import FAULTS, LONGEST_HEADER_VALUE, MeteredBytes, inflate

PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_PIXEL_GROUP = 0x7FE0
_PICTURES = (Tag("IconImageSequence"), Tag("EncapsulatedDocument"))
_OVERLAY_DATA = 0x3000
_TALKATIVE = ("pydicom", "PIL")

# Both log and warn with values of the file in the text: neither may reach a log or a terminal.
for _source in _TALKATIVE:
    logging.getLogger(_source).setLevel(logging.CRITICAL + 1)


def hush() -> None:
    """Keeps pydicom's and Pillow's warnings, which can quote the file, from being shown.

    A filter, not ``catch_warnings``: that one swaps process-wide state back under other threads.
    """
    for source in _TALKATIVE:
        pattern = rf"{source}(\.|$)"
        known = any(f[0] == "ignore" and f[3] and getattr(f[3], "pattern", "") == pattern for f in warnings.filters)
        if not known:
            warnings.filterwarnings("ignore", module=pattern)


@dataclass(frozen=True)
class PixelElement:
    """The element that holds the pixels: raw bytes, its keyword, its value representation."""

    keyword: str
    vr: str
    data: bytes
    extended_offsets: tuple[bytes, bytes] | None = None


@dataclass(frozen=True)
class Parsed:
    """A DICOM file in parts: the header (no pixel data at any depth), the pixels, how both are encoded."""

    header: Dataset
    pixels: PixelElement | None
    syntax: UID
    little_endian: bool


def looks_like_dicom(data: bytes) -> bool:
    """Whether the bytes are a DICOM file, with or without preamble and file meta information."""
    if data[128:132] == b"DICM":
        return True
    if len(data) < 16:
        return False
    explicit = data[4:6].isalpha() and data[4:6].isupper()
    if data[:2] in (b"\x02\x00", b"\x08\x00", b"\x00\x08"):
        first_length = int.from_bytes(data[4:8], "little")
        return explicit or (data[:2] == b"\x08\x00" and first_length < min(len(data), 4096))
    return False


def parse(data: bytes, limits: Settings) -> Parsed:
    """The parts of a DICOM file. Raises ``UnreadableStudyError`` or ``TooLargeError``."""
    hush()
    stream = MeteredBytes(data)
    try:
        meta = _file_meta(stream, data)
        _settle(meta, limits)
        if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
            inflated = inflate(data[stream.tell() :], limits)
            stream = MeteredBytes(inflated)
            dataset = read_dataset(stream, is_implicit_VR=False, is_little_endian=True)
            little_endian = True
        else:
            stream.seek(0)
            whole = dcmread(stream, force=True)
            little_endian = whole.original_encoding[1] is not False
            dataset = Dataset(whole)
            dataset.set_original_encoding(*whole.original_encoding)
        syntax = _transfer_syntax(meta, dataset)
        dataset.file_meta = meta
        pixels = _take_pixels(dataset)
        _settle(dataset, limits)
    except UnreadableStudyError:
        raise
    except RecursionError:
        raise _too_deep(limits) from None
    except FAULTS:
        if stream.exhausted:
            raise _too_many_elements() from None
        raise UnreadableStudyError("The DICOM file is broken; export or copy it again.") from None
    if stream.exhausted:
        raise _too_many_elements()
    if not len(dataset):
        raise UnreadableStudyError("The DICOM file holds no data set; export or copy it again.")
    return Parsed(dataset, pixels, syntax, little_endian)


def _file_meta(stream: MeteredBytes, data: bytes) -> FileMetaDataset:
    """Group 0002, in explicit VR little endian; leaves ``stream`` at the element after it."""
    stream.seek(132 if data[128:132] == b"DICM" else 0)
    if data[stream.tell() : stream.tell() + 2] != b"\x02\x00":
        return FileMetaDataset()
    return FileMetaDataset(
        read_dataset(stream, is_implicit_VR=False, is_little_endian=True, stop_when=lambda tag, _vr, _n: tag >> 16 != 2)
    )


def _transfer_syntax(meta: FileMetaDataset, dataset: Dataset) -> UID:
    named = meta.get("TransferSyntaxUID")
    if named:
        return UID(str(named))
    implicit, little_endian = dataset.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRBigEndian if little_endian is False else ExplicitVRLittleEndian


def _take_pixels(dataset: Dataset) -> PixelElement | None:
    """The pixel element, and its offset tables, taken out of ``dataset``."""
    found = [keyword for keyword in PIXEL_KEYWORDS if keyword in dataset]
    if not found:
        return None
    if len(found) > 1:
        raise UnreadableStudyError("The DICOM file holds two kinds of pixel data; export it again with one.")
    tables = [_raw_value(dataset, name) for name in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")]
    element = dataset.get_item(found[0])
    data = _raw_value(dataset, found[0])
    vr = str(element.VR) if element is not None and element.VR else "OW"
    return PixelElement(found[0], vr, data, (tables[0], tables[1]) if all(tables) else None)


def _raw_value(dataset: Dataset, keyword: str) -> bytes:
    element = dataset.get_item(keyword)
    value = element.value if element is not None else b""
    return bytes(value) if isinstance(value, bytes | bytearray) else b""


def _settle(dataset: Dataset, limits: Settings) -> None:
    """Converts every element, at every depth, and drops every picture in the header.

    Nested sequences are walked with a stack, so depth is bounded before anyone recurses. An element
    that cannot be converted becomes ``UN`` with its bytes: nothing later can fail on it, and the
    header stripper still sees what was in it.
    """
    pending = [(dataset, 1)]
    while pending:
        current, depth = pending.pop()
        for tag in list(current.keys()):
            if _is_picture(tag):
                del current[tag]
                continue
            element = _converted(current, tag)
            if element.VR != "SQ":
                continue
            if depth >= limits.max_sequence_depth and len(element.value):
                raise _too_deep(limits)
            pending.extend((item, depth + 1) for item in element.value)


def _converted(dataset: Dataset, tag: BaseTag) -> DataElement:
    raw = dataset.get_item(tag)
    value = (raw.value or b"") if isinstance(raw, RawDataElement) else b""
    if len(value) > LONGEST_HEADER_VALUE:
        raise TooLargeError("The DICOM header holds one enormous value; export the file without private elements.")
    try:
        return dataset[tag]
    except RecursionError:
        raise
    except FAULTS:
        dataset[tag] = DataElement(tag, "UN", value)
        return dataset[tag]


def _is_picture(tag: BaseTag) -> bool:
    return (
        tag.group == _PIXEL_GROUP
        or tag in _PICTURES
        or (0x6000 <= tag.group <= 0x601E and tag.element == _OVERLAY_DATA)
    )


def _too_deep(limits: Settings) -> TooLargeError:
    return TooLargeError(
        f"The DICOM header nests sequences more than {limits.max_sequence_depth} deep; "
        "export the file again or raise OVERREAD_MAX_SEQUENCE_DEPTH."
    )


def _too_many_elements() -> TooLargeError:
    return TooLargeError(
        "The DICOM header holds far too many elements; export the file again without private elements."
    )
