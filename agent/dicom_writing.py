"""Writes a parsed DICOM file again, with a stripped header and the pixels as they came, or with regions blacked out.

Sources: PS3.10 section 7 (file format), PS3.15 annex E.2 and PS3.3 C.12.1 (how de-identification is recorded),
PS3.16 CID 7050 (its codes).
"""

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

from agent.errors import RedactionError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom import Dataset

    from guardrails.phi.header import HeaderStripper
    from guardrails.phi.profile import Retained
    from overread.records import Box
    from overread.settings import Settings
    from tools.imaging.dataset import Parsed, PixelElement

_DIRECTORY = "1.2.840.10008.1.3.10"
_LONGEST_PLAIN_ITEM = 0xFFFFFFFE


def without_regions(parsed: "Parsed", boxes: "Sequence[Box]", limits: "Settings") -> "Parsed":
    """The same file with half-open boxes of all frames black, its pixel data written out uncompressed.

    Raises ``UnreadableStudyError`` when a frame does not decode.
    """
    from dataclasses import replace

    from pydicom.uid import ExplicitVRLittleEndian

    from tools.imaging.dataset import PixelElement
    from tools.imaging.pixels import stored_pixels

    if parsed.pixels is None or not boxes:
        return parsed
    pixels = stored_pixels(parsed.header, parsed.pixels, parsed.syntax, limits)
    frames, photometric = [], pixels.layout.photometric
    for index in range(pixels.layout.frames):
        stored, photometric = pixels.frame(index)
        if stored.dtype.kind not in "iuf" or parsed.pixels.keyword != "PixelData":
            raise RedactionError("text is burned into this kind of pixel data, and cannot be masked in it")
        black = _black(stored, photometric)
        stored = stored.copy()
        for x0, y0, x1, y1 in boxes:
            stored[y0:y1, x0:x1] = black
        frames.append(stored.astype(stored.dtype.newbyteorder("<")).tobytes())
    header = parsed.header
    header.PhotometricInterpretation = "YBR_FULL" if photometric == "YBR_FULL_422" else photometric
    header.BitsAllocated = 8 * stored.dtype.itemsize
    if stored.ndim == 3:
        header.PlanarConfiguration = 0
    data = b"".join(frames)
    element = PixelElement("PixelData", "OB" if stored.dtype.itemsize == 1 else "OW", data + b"\0" * (len(data) % 2))
    return replace(parsed, pixels=element, syntax=ExplicitVRLittleEndian, little_endian=True)


def _black(stored: "NDArray[Any]", photometric: str) -> Any:
    if photometric.startswith("YBR"):
        return (0, 128, 128)
    if stored.ndim == 3:
        return 0
    return stored.max() if photometric == "MONOCHROME1" else stored.min()


def dicom_bytes(parsed: "Parsed", stripper: "HeaderStripper") -> bytes:
    """A valid DICOM file without identity: preamble of zeros, new UIDs, pseudonymous patient, the same pixels.

    Raises ``RedactionError`` for a file that is an index of others or names no kind of object.
    """
    from pydicom import dcmwrite
    from pydicom.uid import UID

    from guardrails.phi.header import patient_of

    header = parsed.header
    kind = str(header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID") or "")
    if kind == _DIRECTORY or "DirectoryRecordSequence" in header:
        raise RedactionError("the DICOM file is an index of other files (a DICOMDIR); redact the files themselves")
    clean = stripper.dataset(header)
    clean.PatientID = clean.PatientName = stripper.pseudonym(patient_of(header))
    _say_how(clean, stripper.retained)
    clean.file_meta.TransferSyntaxUID = parsed.syntax
    if not kind:
        raise RedactionError("the DICOM file does not say what kind of object it holds (SOP Class UID)")
    clean.file_meta.MediaStorageSOPClassUID = clean.SOPClassUID = UID(kind)
    _complete_uids(clean)
    if parsed.pixels is not None:
        _add_pixels(clean, parsed.pixels, parsed.syntax.is_compressed and not parsed.syntax.is_deflated)
    stream = BytesIO()
    clean.preamble = bytes(128)
    dcmwrite(stream, clean, enforce_file_format=True)
    return stream.getvalue()


def _say_how(clean: "Dataset", retained: "Retained") -> None:
    from pydicom import Dataset

    items = []
    for value, meaning in retained.methods:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
        items.append(item)
    clean.DeidentificationMethodCodeSequence = items
    clean.LongitudinalTemporalInformationModified = "MODIFIED" if "dates" in retained.options else "REMOVED"


def _complete_uids(clean: "Dataset") -> None:
    """The UIDs every composite object must have, where the file had none."""
    from pydicom.uid import generate_uid

    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        if not clean.get(keyword):
            setattr(clean, keyword, generate_uid(prefix=None))
    clean.file_meta.MediaStorageSOPInstanceUID = clean.SOPInstanceUID


def _add_pixels(clean: "Dataset", pixels: "PixelElement", encapsulated: bool) -> None:
    from pydicom import DataElement

    if len(pixels.data) > _LONGEST_PLAIN_ITEM and not encapsulated:
        raise RedactionError("the pixel data is too long for a DICOM file that is not compressed")
    element = DataElement(pixels.keyword, "OB" if encapsulated else pixels.vr, pixels.data)
    element.is_undefined_length = encapsulated
    clean.add(element)
    if encapsulated and pixels.extended_offsets is not None:
        clean.ExtendedOffsetTable, clean.ExtendedOffsetTableLengths = pixels.extended_offsets
