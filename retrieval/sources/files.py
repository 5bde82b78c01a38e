"""Files: what the user's paths hold, folders and archives opened, one bounded file at a time."""

import gzip
import io
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from retrieval.errors import SourceError
from retrieval.sources.bounds import MAX_ARCHIVE_BYTES, MAX_FILE_BYTES, MAX_MEMBERS, open_zip, read_bounded

_BETWEEN = "!/"
"""Stands between an archive's path and its member's name."""


@dataclass(frozen=True)
class File:
    """One file that may be a document: where it is, and its bytes or why they cannot be read.

    ``named`` says that the user named it, and did not name its folder or archive alone.
    """

    path: str
    name: str
    named: bool
    data: bytes = b""
    problem: str | None = None


def listed(paths: Sequence[Path]) -> list[tuple[Path, bool]]:
    """The files in some paths, with whether each was named itself. Folders are walked in order of name.

    Hidden files and folders are passed over, links to folders are not followed. Raises ``SourceError``
    where a path is not there.
    """
    found: dict[Path, bool] = {}
    for path in paths:
        if path.is_file():
            found[_absolute(path)] = True
        elif path.is_dir():
            for folder, below, names in os.walk(path):
                below[:] = sorted(name for name in below if not name.startswith("."))
                for name in sorted(names):
                    inside = Path(folder, name)
                    if not name.startswith(".") and inside.is_file():
                        found.setdefault(_absolute(inside), False)
        else:
            raise SourceError(f"there is no file or folder {path.name!r}; check its spelling")
    return list(found.items())


def opened(path: Path, named: bool) -> Iterator[File]:
    """The file at a path, or the members of it where it is an archive (zip, tar, tar.gz) or packed (gz)."""
    where = str(path)
    try:
        with path.open("rb") as file:
            start = file.read(262 + 6)
            file.seek(0)
            if start[:4] == b"PK\x03\x04" and not _is_office(path):
                yield from _of_zip(path)
            elif start[:2] == b"\x1f\x8b":
                yield from _of_gzip(path, named)
            elif start[257:262] == b"ustar":
                yield from _of_tar(path)
            else:
                yield File(where, path.stem, named, read_bounded(file))
    except SourceError as error:
        yield File(where, path.stem, named=True, problem=str(error))
    except OSError as error:
        yield File(where, path.stem, named=True, problem=f"it cannot be opened ({type(error).__name__})")


def archive_of(path: str) -> str:
    """The path of the file on disk that a file's path lies in."""
    return path.partition(_BETWEEN)[0]


def _of_zip(path: Path) -> Iterator[File]:
    with path.open("rb") as file, open_zip(file) as archive:
        inflated = 0
        for member in archive.infolist():
            if member.is_dir() or _hidden(member.filename):
                continue
            where, name = f"{path}{_BETWEEN}{member.filename}", Path(member.filename).stem
            if member.flag_bits & 1:
                yield File(where, name, named=False, problem="it is encrypted")
                continue
            try:
                with archive.open(member) as opened_member:
                    data = read_bounded(opened_member)
            except SourceError as error:
                yield File(where, name, named=False, problem=str(error))
                continue
            except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError) as error:
                yield File(where, name, named=False, problem=f"it cannot be unpacked ({type(error).__name__})")
                continue
            inflated += len(data)
            if inflated > MAX_ARCHIVE_BYTES:
                raise SourceError(f"the archive inflates to more than {MAX_ARCHIVE_BYTES // 2**30} GiB")
            yield File(where, name, named=False, data=data)


def _of_gzip(path: Path, named: bool) -> Iterator[File]:
    try:
        with gzip.open(path) as file:
            start = file.read(262)
        if start[257:262] == b"ustar":
            yield from _of_tar(path)
            return
        with gzip.open(path) as file:
            yield File(str(path), Path(path.stem).stem, named, read_bounded(cast(IO[bytes], file)))
    except (zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise SourceError(f"it is broken gzip ({type(error).__name__})") from None


def _of_tar(path: Path) -> Iterator[File]:
    inflated = 0
    try:
        with tarfile.open(path, "r|*") as archive:
            for count, member in enumerate(archive, start=1):
                if count > MAX_MEMBERS:
                    raise SourceError(f"the archive has more than {MAX_MEMBERS} members")
                inflated += max(member.size, 0)
                if inflated > MAX_ARCHIVE_BYTES:
                    raise SourceError(f"the archive inflates to more than {MAX_ARCHIVE_BYTES // 2**30} GiB")
                if not member.isfile() or _hidden(member.name):
                    continue
                where, name = f"{path}{_BETWEEN}{member.name}", Path(member.name).stem
                if member.size > MAX_FILE_BYTES:
                    yield File(where, name, named=False, problem=f"it is larger than {MAX_FILE_BYTES // 2**20} MiB")
                    continue
                content = archive.extractfile(member)
                yield File(where, name, named=False, data=read_bounded(content or io.BytesIO()))
    except (tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise SourceError(f"the archive is broken after some of its members ({type(error).__name__})") from None


def _is_office(path: Path) -> bool:
    """Whether a zip is a document itself. A broken one is left to be reported as an archive."""
    try:
        with path.open("rb") as file, open_zip(file) as archive:
            return "[Content_Types].xml" in archive.namelist()
    except SourceError:
        return False


def _hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))
