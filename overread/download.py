"""Downloads one file: over HTTPS, with resuming, its length and SHA-256 checked before it gets its name.

While it grows the file is called ``NAME.part``. A download that breaks off leaves that, and the next one
goes on from there. A file of a wrong length or checksum is removed.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from overread.cards import file_sha256
from overread.catalogue import CatalogueFile, check_address
from overread.errors import DownloadError

if TYPE_CHECKING:
    import httpx

Progress = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes that are there, and the bytes there will be, where that is known."""

PART = ".part"
MOST_BYTES = 32 << 30
"""A file that is not said how large it is may be no larger than this."""

CONNECT_S, READ_S = 10.0, 30.0
REDIRECTS = 5


def download(wanted: CatalogueFile, folder: Path, progress: Progress) -> Path:
    """Put a file of the catalogue into a folder and give its path. One with the right checksum is not fetched again.

    ``wanted.url`` and ``wanted.sha256`` must be known. Raises ``DownloadError`` for whatever goes wrong.
    """
    import httpx

    if wanted.url is None or wanted.sha256 is None:
        raise DownloadError(f"{wanted.file}: its address or its SHA-256 is not known")
    target, part = folder / wanted.file, folder / (wanted.file + PART)
    if target.is_file() and file_sha256(target) == wanted.sha256:
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with httpx.Client(
            timeout=httpx.Timeout(READ_S, connect=CONNECT_S),
            follow_redirects=True,
            max_redirects=REDIRECTS,
            event_hooks={"request": [lambda request: check_address(str(request.url))]},
            headers={"Accept-Encoding": "identity"},
        ) as client:
            _fetch(client, wanted, wanted.url, part, progress)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DownloadError(
            f"{wanted.file}: the download broke off ({type(error).__name__}); run the command again to go on"
        ) from None
    except OSError as error:
        raise DownloadError(f"{wanted.file} cannot be written ({type(error).__name__})") from None
    adopt(part, target, wanted.sha256)
    return target


def adopt(part: Path, target: Path, sha256: str) -> None:
    """Give a finished file its name if its SHA-256 is right, else remove it. Raises ``DownloadError``."""
    try:
        if file_sha256(part) != sha256:
            part.unlink()
            raise DownloadError(f"{target.name} is not the file that was asked for (SHA-256 differs); it was removed")
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
    except OSError as error:
        raise DownloadError(f"{target.name} cannot be written ({type(error).__name__})") from None


def _fetch(client: "httpx.Client", wanted: CatalogueFile, url: str, part: Path, progress: Progress) -> None:
    """Fill ``part``, going on from what is there. A server that cannot go on starts again."""
    there = part.stat().st_size if part.is_file() else 0
    if wanted.bytes is not None and there > wanted.bytes:
        part.unlink()
        there = 0
    if wanted.bytes is not None and there == wanted.bytes:
        return
    headers = {"Range": f"bytes={there}-"} if there else {}
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code == 416 and there:
            part.unlink()
        elif response.status_code not in (200, 206):
            raise DownloadError(f"{wanted.file}: the server answers {response.status_code}; nothing was downloaded")
        else:
            _receive(response, wanted, part, there, progress)
            return
    _fetch(client, wanted, url, part, progress)


def _receive(response: "httpx.Response", wanted: CatalogueFile, part: Path, there: int, progress: Progress) -> None:
    import httpx

    begin = _begin(response, there) if response.status_code == 206 else 0
    length = response.headers.get("Content-Length", "")
    total = begin + int(length) if length.isdecimal() else None
    if wanted.bytes is not None and total not in (None, wanted.bytes):
        raise DownloadError(f"{wanted.file}: the server offers {total} bytes, the catalogue says {wanted.bytes}")
    most = wanted.bytes or MOST_BYTES
    if total is not None and total > most:
        raise DownloadError(f"{wanted.file}: the server offers {total} bytes, which is more than is taken")
    got = begin
    with part.open("ab" if begin else "wb") as file:
        for piece in response.iter_raw():
            got += len(piece)
            if got > most:
                file.close()
                part.unlink()
                raise DownloadError(f"{wanted.file}: the server sends more than {most} bytes; it was removed")
            file.write(piece)
            progress(wanted.file, got, wanted.bytes or total)
    expected = wanted.bytes or total
    if expected is not None and got < expected:
        raise httpx.ReadError(f"{got} of {expected} bytes")


def _begin(response: "httpx.Response", there: int) -> int:
    """Where a partial answer begins. Raises ``DownloadError`` when that is not where the file left off."""
    unit, _, place = response.headers.get("Content-Range", "").partition(" ")
    if unit != "bytes" or place.partition("-")[0] != str(there):
        raise DownloadError("the server goes on from another place than asked; remove the .part file and try again")
    return there
