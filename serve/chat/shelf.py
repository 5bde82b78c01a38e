"""The studies that visitors have opened: in memory within bounds, the oldest going first, their files with them."""

import secrets
import shutil
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from overread.settings import Settings

if TYPE_CHECKING:
    from agent.opening import OpenedStudy

MAX_WAITING = 20
"""Most studies one question may come with."""


@dataclass(frozen=True)
class _Kept:
    shelf: "Shelf"
    bytes: int
    files: Path | None


class Room:
    """What the opened studies of all visitors may take together, and of each. Where it is short, the oldest go."""

    def __init__(self, settings: Settings | None = None) -> None:
        settings = settings or Settings()
        self._each, self._all = settings.page_visitor_bytes, settings.page_bytes
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def held(self, owner: object = None) -> int:
        """Bytes that the studies take: of one visitor, or of all."""
        return sum(kept.bytes for kept in self._kept.values() if owner in (None, kept.shelf.owner))

    def put(self, handle: str, shelf: "Shelf", size: int, files: Path | None) -> None:
        """Count a study in; older ones that no run is about go, until there is room again."""
        self._kept[handle] = _Kept(shelf, size, files)
        for whose, most in ((shelf.owner, self._each), (None, self._all)):
            for other, kept in list(self._kept.items()):
                if self.held(whose) <= most:
                    break
                if other != handle and whose in (None, kept.shelf.owner) and other not in kept.shelf.in_use:
                    kept.shelf.remove(other)
                    kept.shelf.put_away += 1

    def used(self, handle: str) -> None:
        """A study is the youngest again."""
        self._kept.move_to_end(handle)

    def remove(self, handle: str) -> None:
        """Count a study out, and delete its files."""
        kept = self._kept.pop(handle, None)
        if kept is not None and kept.files is not None:
            delete(kept.files)


class Shelf:
    """The studies opened in one conversation, by handle, the oldest first. ``owner`` is whose conversation it is.

    ``waiting`` are the handles of those that the next question is about, ``in_use`` of those that a run is about.
    ``put_away`` counts those that went to make room. ``revision`` grows with every change. ``receiving``: an upload
    goes on.
    """

    def __init__(self, folder: Path, room: Room, owner: str = "") -> None:
        """``folder`` is the conversation's own, for the files that come."""
        self._folder, self._room = folder, room
        self.owner: object = owner or self
        self.studies: dict[str, OpenedStudy] = {}
        self.waiting: list[str] = []
        self.in_use: set[str] = set()
        self.put_away = 0
        self.revision = 0
        self.receiving = False
        self._era = object()

    @property
    def era(self) -> object:
        """Changes when everything is deleted: what was begun before must not be put here after."""
        return self._era

    def place(self) -> Path:
        """A new private folder for files that come. Who asks for it deletes it, or hands it to ``put``."""
        place = self._folder / f"drop-{secrets.token_hex(8)}"
        place.mkdir(mode=0o700)
        return place

    def put(self, opened: "OpenedStudy", files: Path | None, era: object) -> bool:
        """Keep a study, which then waits for a question; ``files`` are those its frames are still read from.

        Gives whether it is kept: not when all was deleted since ``era``; its files are deleted then.
        """
        if era is not self._era:
            if files is not None:
                delete(files)
            return False
        self.studies[opened.handle] = opened
        self.waiting.append(opened.handle)
        self.revision += 1
        self._room.put(opened.handle, self, opened.held_bytes + (_size(files) if files else 0), files)
        return True

    def remove(self, handle: str) -> bool:
        """Forget a study and delete its files; whether it was there."""
        if self.studies.pop(handle, None) is None:
            return False
        if handle in self.waiting:
            self.waiting.remove(handle)
        self.revision += 1
        self._room.remove(handle)
        return True

    def take(self) -> "tuple[OpenedStudy, ...]":
        """What waits, for a run that begins; it must ``give_back``."""
        taken = tuple(self.studies[handle] for handle in self.waiting)
        self.waiting = []
        for opened in taken:
            self.in_use.add(opened.handle)
            self._room.used(opened.handle)
        self.revision += bool(taken)
        return taken

    def give_back(self, taken: "tuple[OpenedStudy, ...]") -> None:
        """The run is over."""
        self.in_use -= {opened.handle for opened in taken}

    def clear(self) -> None:
        """Forget every study."""
        self._era = object()
        for handle in list(self.studies):
            self.remove(handle)


def delete(files: Path) -> None:
    """Delete a file, or a folder with all in it."""
    if files.is_dir():
        shutil.rmtree(files, ignore_errors=True)
    else:
        files.unlink(missing_ok=True)


def _size(files: Path) -> int:
    return sum(path.stat().st_size for path in (files.rglob("*") if files.is_dir() else (files,)) if path.is_file())
