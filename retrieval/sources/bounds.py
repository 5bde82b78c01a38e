"""Bounds: what is checked before anything is decoded, and how XML and archives are opened safely."""

import io
import signal
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import IO, Any

from retrieval.errors import SourceError

MAX_FILE_BYTES = 256 * 2**20
"""A file, or a member of an archive once it is inflated, that is larger is not read."""

MAX_ARCHIVE_BYTES = 4 * 2**30
MAX_MEMBERS = 200_000
MAX_RATIO = 200
"""A member of more than a mebibyte that inflates more than this many times is taken for a bomb."""

MAX_TEXT = 20_000_000
"""Characters of one document."""

MAX_SECONDS = 120.0
"""Reading one file may take so long."""

_SMALL = 2**20


def read_bounded(file: IO[bytes], most: int = MAX_FILE_BYTES) -> bytes:
    """All of a file, whatever its header says of its size. Raises ``SourceError`` when it has more."""
    data = file.read(most + 1)
    if len(data) > most:
        raise SourceError(f"it is larger than {most // 2**20} MiB; split it")
    return data


def open_zip(file: IO[bytes]) -> zipfile.ZipFile:
    """A zip archive whose directory keeps the bounds. Raises ``SourceError``."""
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise SourceError("it is a broken zip archive") from None
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise SourceError(f"the archive has more than {MAX_MEMBERS} members")
    if sum(member.file_size for member in members) > MAX_ARCHIVE_BYTES:
        raise SourceError(f"the archive inflates to more than {MAX_ARCHIVE_BYTES // 2**30} GiB")
    for member in members:
        if member.file_size > _SMALL and member.file_size > MAX_RATIO * max(member.compress_size, 1):
            raise SourceError("a member of the archive inflates suspiciously much; it is not opened")
    return archive


def parse_xml(data: bytes) -> Any:
    """The root element of an XML document. No entity is expanded, no DTD loaded, nothing fetched.

    Raises ``SourceError`` where it is broken or declares entities of its own.
    """
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise SourceError("it is broken XML") from None
    subset = root.getroottree().docinfo.internalDTD
    if subset is not None and any(True for _ in subset.iterentities()):
        raise SourceError("it declares XML entities, which are not expanded here")
    return root


def root_tag(data: bytes) -> str | None:
    """The name of an XML document's root element, without its namespace, or ``None`` where there is none."""
    from lxml import etree

    try:
        found = etree.iterparse(
            io.BytesIO(data[:_SMALL]), events=("start",), resolve_entities=False, no_network=True, load_dtd=False
        )
        for _, element in found:
            return str(etree.QName(element).localname)
    except (etree.XMLSyntaxError, ValueError):
        return None
    return None


@contextmanager
def deadline(seconds: float = MAX_SECONDS) -> Iterator[None]:
    """Raise ``SourceError`` when the block takes longer. Works in the main thread; elsewhere there is no limit."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def late(_signal: int, _frame: FrameType | None) -> None:
        raise SourceError(f"reading it takes more than {seconds:g} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
