"""Reads an image file, or a folder or archive of them, into a study.

The kind of file is told by its content, never by its name.
"""

import os
from pathlib import Path

from overread.settings import Settings, settings
from tools.errors import UnreadableStudyError
from tools.imaging.bounds import read_bytes
from tools.imaging.collection import read_collection
from tools.imaging.dataset import looks_like_dicom
from tools.imaging.dicom import read_dicom
from tools.imaging.members import ZIP_SIGNATURES, folder_members, zip_members
from tools.imaging.raster import SIGNATURES, read_raster
from tools.imaging.study import HeaderStripper, Study

_OTHER_KINDS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF", "a PDF document; export the image in it as PNG"),
    (0, b"GIF8", "a GIF; save it as PNG"),
    (4, b"ftyp", "a video or HEIF picture; save the image as PNG or JPEG"),
    (344, b"ni1\x00", "a NIfTI header without its voxels; convert header and voxels into one .nii file"),
    (4, b"ni2\x00", "a NIfTI header without its voxels; convert header and voxels into one .nii file"),
)
_TEXT_BYTES = frozenset((*range(0x20, 0x7F), 0x09, 0x0A, 0x0C, 0x0D, *range(0x80, 0x100)))


def read_study(path: Path, stripper: HeaderStripper, limits: Settings | None = None) -> Study:
    """The study at ``path``: DICOM, a folder or zip archive of DICOM, NIfTI, PNG, JPEG, BMP, WebP or TIFF.

    A file is read once; those of a folder again, one at a time, when their pixels are asked for.
    Identity goes to ``stripper`` and nowhere else. Raises ``UnreadableStudyError``, or its subclass
    ``TooLargeError``, with one sentence that names the fault and what to do, and neither a name nor
    a value from a file.
    """
    limits = limits or settings()
    if os.path.isdir(path):
        return read_collection(folder_members(path, limits), "folder", stripper, limits)
    return read_study_bytes(read_bytes(path, limits), stripper, limits)


def read_study_bytes(data: bytes, stripper: HeaderStripper, limits: Settings | None = None) -> Study:
    """As ``read_study``, for a file that is in memory already, as one that came over the network is."""
    limits = limits or settings()
    if not data:
        raise UnreadableStudyError("The file is empty; export or copy it again.")
    if data[128:132] == b"DICM":
        return read_dicom(data, stripper, limits)
    if data.startswith(ZIP_SIGNATURES):
        return read_collection(zip_members(data, limits), "zip archive", stripper, limits, len(data))
    for signature, kind in SIGNATURES:
        if data.startswith(signature):
            return read_raster(data, kind, stripper, limits)
    if data.startswith(b"\x1f\x8b"):
        from tools.imaging.nifti import read_gzip

        return read_gzip(data, stripper, limits)
    if data[344:348] == b"n+1\x00" or data[4:8] == b"n+2\x00":
        from tools.imaging.nifti import read_nifti

        return read_nifti(data, stripper, limits)
    if looks_like_dicom(data):
        return read_dicom(data, stripper, limits)
    raise UnreadableStudyError(f"The file is {_kind(data)}.")


def _kind(data: bytes) -> str:
    for offset, magic, words in _OTHER_KINDS:
        if data[offset : offset + len(magic)] == magic:
            return words
    if _TEXT_BYTES.issuperset(data[:4096]):
        return "text, whatever its name says; name an image file"
    return "of no kind that is read here; give DICOM, NIfTI, PNG, JPEG, BMP, WebP or TIFF"
