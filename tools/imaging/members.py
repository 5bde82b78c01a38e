"""The files of a folder or of a zip archive, none of them opened yet.

Nothing is ever unpacked to disk, and the names in an archive are never used: a name that points
outside says nothing here. Source: PKWARE's APPNOTE.TXT, sections 4.3 and 4.4 (zip).
"""

import os
import stat
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

from overread.settings import Settings
from tools.errors import TooLargeError, UnreadableStudyError
from tools.imaging.bounds import FAULTS, read_bytes

ZIP_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
_DIRECTORY_ENTRY = b"PK\x01\x02"
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
HEAD_BYTES = 4096
_FAULTS: tuple[type[Exception], ...] = (*FAULTS, zipfile.BadZipFile)


@dataclass(frozen=True)
class Member:
    """One file. ``head`` is at most its first 4,096 bytes, ``read`` all of them, each time anew.

    Both raise ``UnreadableStudyError``, or ``TooLargeError`` over ``max_file_bytes``.
    """

    head: Callable[[], bytes]
    read: Callable[[], bytes]


def folder_members(folder: Path, limits: Settings) -> list[Member]:
    """All files in ``folder`` and the folders in it, in the order of their paths.

    Links to files are followed, links to folders are not. Raises ``UnreadableStudyError`` for a
    folder that may not be listed, ``TooLargeError`` over ``limits.max_files`` entries.
    """
    found: list[str] = []
    pending = [os.fspath(folder)]
    entries = 0
    while pending:
        try:
            with os.scandir(pending.pop()) as listed:
                for entry in listed:
                    entries += 1
                    if entries > limits.max_files:
                        raise _too_many("folder", limits)
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    elif not (entry.is_symlink() and entry.is_dir()):
                        found.append(entry.path)
        except OSError:
            raise UnreadableStudyError("The folder, or one in it, may not be listed; check its permissions.") from None
    paths = [Path(path) for path in sorted(found)]
    return [Member(partial(read_bytes, path, limits, HEAD_BYTES), partial(read_bytes, path, limits)) for path in paths]


def zip_members(data: bytes, limits: Settings) -> list[Member]:
    """All files in the zip archive ``data``, in the order of their names.

    What the archive says of itself is checked before anything is inflated, and no file inflates to more
    than it says. Raises ``UnreadableStudyError`` for an archive that is broken or encrypted,
    ``TooLargeError`` over ``limits.max_files`` entries or ``limits.max_study_bytes`` in all.
    """
    # Counted first, so that a directory of millions of entries is never made into objects.
    if data.count(_DIRECTORY_ENTRY) > limits.max_files:
        raise _too_many("zip archive", limits)
    try:
        archive = zipfile.ZipFile(BytesIO(data))
        entries = sorted(archive.infolist(), key=lambda entry: entry.filename)
    except _FAULTS:
        raise UnreadableStudyError("The zip archive is broken or cut off; make or copy it again.") from None
    if any(entry.flag_bits & _ENCRYPTED for entry in entries):
        raise UnreadableStudyError("The zip archive is encrypted; unpack it and give the folder.")
    if sum(entry.file_size for entry in entries) > limits.max_study_bytes:
        raise TooLargeError(
            f"The zip archive would unpack to more than {limits.max_study_bytes:,} bytes; "
            "give a smaller one or raise OVERREAD_MAX_STUDY_BYTES."
        )
    return [
        Member(partial(_inflated, archive, entry, limits, HEAD_BYTES), partial(_inflated, archive, entry, limits))
        for entry in entries
        if not entry.is_dir() and not _is_link(entry)
    ]


def _is_link(entry: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(entry.external_attr >> 16)


def _inflated(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limits: Settings, most: int | None = None) -> bytes:
    """The first ``most`` bytes of an entry, or all that it says it has. Never more than that is inflated."""
    if entry.compress_type not in _METHODS:
        # The other decompressors of the standard library have no bound on what they give out at once.
        raise UnreadableStudyError("A file in the zip archive is packed in a way that is not read; use plain deflate.")
    if entry.file_size > limits.max_file_bytes and most is None:
        raise TooLargeError(f"A file in the zip archive has more than {limits.max_file_bytes:,} bytes.")
    try:
        with archive.open(entry) as stream:
            # One byte more than there should be: reading to the end is what checks the checksum.
            data = stream.read(entry.file_size + 1 if most is None else most)
    except _FAULTS:
        raise UnreadableStudyError("A file in the zip archive is broken; make or copy the archive again.") from None
    if most is None and len(data) != entry.file_size:
        raise UnreadableStudyError("A file in the zip archive is cut off; make or copy the archive again.")
    return data


def _too_many(what: str, limits: Settings) -> TooLargeError:
    return TooLargeError(
        f"The {what} holds more than {limits.max_files:,} files; give one study or raise OVERREAD_MAX_FILES."
    )
