"""What was dropped on a page: received as one stream, put together to studies, and each of them opened.

A drop's first line is JSON, ``{"files": [[size, folder], …]}``: the size of each file in bytes, and the number of the
dropped folder it lay in, or null. The bytes of the files follow, one after the other. Names are never sent.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationError

from overread.errors import OverreadError
from overread.records import Record
from overread.settings import Settings
from serve import words
from serve.chat.cards import card
from serve.chat.faults import fault, size_words
from serve.chat.shelf import MAX_WAITING, delete
from serve.errors import DropError

if TYPE_CHECKING:
    from agent.opening import OpenedStudy
    from agent.parts import Parts
    from serve.chat.session import Session

log = logging.getLogger(__name__)

LONGEST_LIST = 2**20
"""Most bytes of a drop's first line."""
_PIECE = 2**20


class Drop(Record):
    """The files of a drop: size in bytes, and which dropped folder each lay in."""

    files: tuple[tuple[int, Annotated[int, Field(ge=0)] | None], ...] = Field(min_length=1)

    def check(self, settings: Settings) -> None:
        """Raise ``DropError`` where it is more than ``settings`` allow. Nothing has been read yet."""
        said = words.phrases()["page_faults"]
        if len(self.files) > settings.max_files:
            raise DropError(said["too_many"].format(most=f"{settings.max_files:,}"))
        if any(size < 0 for size, _ in self.files):
            raise DropError(said["again"])
        if any(size > settings.max_file_bytes for size, _ in self.files):
            raise DropError(said["too_large"].format(most=size_words(settings.max_file_bytes)))
        if sum(size for size, _ in self.files) > most_together(settings):
            raise DropError(said["too_large_together"].format(most=size_words(most_together(settings))))


def most_together(settings: Settings) -> int:
    """Most bytes the files of one drop may have together."""
    return min(settings.max_study_bytes, settings.page_visitor_bytes)


async def receive(stream: AsyncIterator[bytes], place: Path, settings: Settings) -> Drop:
    """Write the files of a drop to ``place``: a file by its number, or a folder ``folder-N`` of such.

    Raises ``DropError`` for what is too large, before it is read, and for what does not arrive whole.
    """
    pieces = _within(stream, settings.api_read_s)
    head = b""
    async for piece in pieces:
        head += piece
        if b"\n" in head or len(head) > LONGEST_LIST:
            break
    line, _, rest = head.partition(b"\n")
    try:
        if len(line) > LONGEST_LIST:
            raise ValueError
        drop = Drop.model_validate_json(line)
    except (ValidationError, ValueError):
        raise _broken() from None
    drop.check(settings)
    left = bytearray(rest)
    for number, (size, folder) in enumerate(drop.files):
        path = place / (f"{number:06d}" if folder is None else f"folder-{folder}/{number:06d}")
        await _write(path, size, left, pieces)
    if left:
        raise _broken()
    return drop


async def _write(path: Path, size: int, left: bytearray, pieces: AsyncIterator[bytes]) -> None:
    """The next ``size`` bytes into a file: of ``left`` first, which then holds what came too much."""

    def append(data: bytes) -> None:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with path.open("ab") as out:
            out.write(data)

    while True:
        while len(left) < min(size, _PIECE):
            piece = await anext(pieces, None)
            if piece is None:
                raise _broken()
            left += piece
        data = bytes(left[:size])
        del left[: len(data)]
        size -= len(data)
        await asyncio.to_thread(append, data)
        if not size:
            return


async def _within(stream: AsyncIterator[bytes], seconds: float) -> AsyncIterator[bytes]:
    while True:
        try:
            async with asyncio.timeout(seconds):
                piece = await anext(stream, None)
        except TimeoutError:
            raise _broken() from None
        if piece is None:
            return
        yield piece


def _broken() -> DropError:
    return DropError(words.phrases()["page_faults"]["again"])


@dataclass(frozen=True)
class _Found:
    """What is opened as one study: its files by their numbers in the drop, and where it lies."""

    numbers: tuple[int, ...]
    path: Path
    is_folder: bool


def _studies(place: Path, settings: Settings) -> Iterator[_Found]:
    """The studies in what was received. A folder with DICOM in it is one; other files are what they are alone."""
    from tools.imaging.grouping import grouped, holds_dicom

    loose: list[Path] = []
    folders: dict[Path, list[Path]] = defaultdict(list)
    for path in sorted(path for path in place.rglob("*") if path.is_file()):
        (loose if path.parent == place else folders[path.parent]).append(path)
    for folder, paths in folders.items():
        if holds_dicom(paths, settings):
            yield _Found(tuple(int(path.name) for path in paths), folder, True)
        else:
            loose += paths
    for group in grouped(sorted(loose, key=lambda path: path.name), settings):
        numbers = tuple(sorted(int(path.name) for path in group))
        if len(group) == 1:
            yield _Found(numbers, group[0], False)
        else:
            together = place / f"series-{numbers[0]}"
            together.mkdir(mode=0o700)
            for path in group:
                path.rename(together / path.name)
            yield _Found(numbers, together, True)


async def open_all(
    session: "Session", place: Path, era: object, parts: "Parts", turn: asyncio.Semaphore
) -> AsyncGenerator[dict[str, Any], None]:
    """Open what lies in ``place``, one study after the other; what became of each, as it happens.

    A ``study`` comes with its card, a ``fault`` with what is wrong and the numbers of the files it is about, and
    ``opening`` before each says how many there are. Frames of a folder are read when they are asked for, so its files
    stay with the study; a file is in memory by then and goes. ``place`` itself is the caller's to delete.
    """
    settings = parts.settings
    found = sorted(await asyncio.to_thread(lambda: list(_studies(place, settings))), key=lambda one: one.numbers)
    for n, one in enumerate(found, start=1):
        yield {"type": "opening", "n": n, "of": len(found)}
        if len(session.shelf.waiting) >= MAX_WAITING:
            full = words.phrases()["page_faults"]["full"].format(most=MAX_WAITING)
            yield {"type": "fault", "files": one.numbers, **fault(full)}
            continue
        try:
            async with turn:
                opened = await _open(session, one, era, parts)
        except OverreadError as error:
            yield {"type": "fault", "files": one.numbers, **fault(error)}
            continue
        except Exception as error:  # noqa: BLE001  what no reader foresaw stops no other file; its text may hold anything
            log.error("a study could not be opened: %s", type(error).__name__)
            yield {"type": "fault", "files": one.numbers, **fault(OverreadError("internal"))}
            continue
        if opened is None:
            return
        yield {"type": "study", "files": one.numbers, "card": card(opened, waiting=True)}


async def _open(session: "Session", found: _Found, era: object, parts: "Parts") -> "OpenedStudy | None":
    """The study, on the visitor's shelf; ``None`` when that was cleared meanwhile."""
    from agent.opening import open_study

    # What stays with a study goes into a folder of its own.
    files = session.shelf.place() if found.is_folder else None
    path = await asyncio.to_thread(found.path.rename, files / "study") if files else found.path
    kept = False
    try:
        opened = await asyncio.to_thread(open_study, path, parts)
        kept = session.shelf.put(opened, files, era)
    finally:
        if not kept or files is None:
            delete(files or path)
    return opened if kept else None
