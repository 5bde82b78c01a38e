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

_TAR_MARK = slice(257, 262)
_BETWEEN = "!/"
"""Stands between an archive's path and its member's name."""


@dataclass(frozen=True)
class File:
    """One file that may be a document: where it is, and its bytes or why they cannot be read.

    ``named`` says that the user named it, and did not name its folder or archive alone. ``at`` is how many bytes
    of the file on disk have been gone through with it.
    """

    path: str
    name: str
    named: bool
    data: bytes = b""
    problem: str | None = None
    at: int = 0


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
            start = file.read(_TAR_MARK.stop)
            file.seek(0)
            if start[:4] == b"PK\x03\x04" and not _is_office(file):
                yield from _of_zip(where, file)
            elif start[:2] == b"\x1f\x8b":
                yield from _of_gzip(where, named, file)
            elif start[_TAR_MARK] == b"ustar":
                yield from _of_tar(where, file)
            else:
                data = read_bounded(file)
                yield File(where, path.stem, named, data, at=len(data))
    except SourceError as error:
        yield File(where, path.stem, named=True, problem=str(error))
    except OSError as error:
        yield File(where, path.stem, named=True, problem=f"it cannot be opened ({type(error).__name__})")


def _of_zip(path: str, file: IO[bytes]) -> Iterator[File]:
    with open_zip(file) as archive:
        inflated = at = 0
        for member in archive.infolist():
            at += member.compress_size
            if member.is_dir() or _hidden(member.filename):
                continue
            data, problem = _of_member(archive, member)
            inflated += len(data)
            if inflated > MAX_ARCHIVE_BYTES:
                raise SourceError(f"the archive inflates to more than {MAX_ARCHIVE_BYTES // 2**30} GiB")
            yield File(f"{path}{_BETWEEN}{member.filename}", Path(member.filename).stem, False, data, problem, at)


def _of_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[bytes, str | None]:
    """The bytes of a member, or why there are none."""
    if member.flag_bits & 1:
        return b"", "it is encrypted"
    try:
        with archive.open(member) as file:
            return read_bounded(file), None
    except SourceError as error:
        return b"", str(error)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError) as error:
        return b"", f"it cannot be unpacked ({type(error).__name__})"


def _of_gzip(path: str, named: bool, file: IO[bytes]) -> Iterator[File]:
    try:
        start = gzip.GzipFile(fileobj=file).read(_TAR_MARK.stop)
        file.seek(0)
        if start[_TAR_MARK] == b"ustar":
            yield from _of_tar(path, file)
        else:
            data = read_bounded(cast(IO[bytes], gzip.GzipFile(fileobj=file)))
            yield File(path, Path(Path(path).stem).stem, named, data, at=file.tell())
    except (zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise SourceError(f"it is broken gzip ({type(error).__name__})") from None


def _of_tar(path: str, file: IO[bytes]) -> Iterator[File]:
    inflated = 0
    try:
        with tarfile.open(fileobj=file, mode="r|*") as archive:
            for count, member in enumerate(archive, start=1):
                inflated += max(member.size, 0)
                if count > MAX_MEMBERS or inflated > MAX_ARCHIVE_BYTES:
                    raise SourceError("the archive has too many members, or they are too large together")
                if not member.isfile() or _hidden(member.name):
                    continue
                where, name = f"{path}{_BETWEEN}{member.name}", Path(member.name).stem
                if member.size > MAX_FILE_BYTES:
                    problem = f"it is larger than {MAX_FILE_BYTES // 2**20} MiB"
                    yield File(where, name, False, problem=problem, at=file.tell())
                    continue
                content = archive.extractfile(member)
                yield File(where, name, False, read_bounded(content or io.BytesIO()), at=file.tell())
    except (tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise SourceError(f"the archive is broken after some of its members ({type(error).__name__})") from None


def _is_office(file: IO[bytes]) -> bool:
    """Whether a zip is a document itself. A broken one is left to be reported as an archive."""
    try:
        with open_zip(file) as archive:
            return "[Content_Types].xml" in archive.namelist()
    except SourceError:
        return False
    finally:
        file.seek(0)


def _hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))
