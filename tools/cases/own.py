"""The user's own cases: one file in the state folder, added to and removed from."""

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tools.cases.file import StoredIndex, read_index, write_index
from tools.cases.index import CaseEntry, CaseIndex, Floats
from tools.errors import CaseIndexError

SOURCE = "your cases"
MOST = 50_000
"""Cases one file may hold; it is rewritten whole with every change."""
_LABEL = re.compile(r"[^\W_](?:[\w ,/+()'-]{0,58}[\w)])?")


class OwnCases:
    """The cases of one folder, which only its owner can read. Any number of processes may read and change it.

    Every change is written whole and put in place at once, under a lock. A removed case is in no later
    search of any process, and not in the file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "cases.safetensors"
        self._read: tuple[tuple[int, int, int], StoredIndex] | None = None

    def stored(self) -> StoredIndex | None:
        """What the file holds now, or ``None`` when there is none. Read again when it has changed.

        Raises ``CaseIndexError`` for a damaged file.
        """
        try:
            stat = self._file.stat()
        except FileNotFoundError:
            self._read = None
            return None
        seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        known = self._read
        if known is None or known[0] != seen:
            known = self._read = seen, read_index(self._file)
        return known[1]

    def entries(self) -> tuple[CaseEntry, ...]:
        """The cases in the order they were added."""
        stored = self.stored()
        return stored.index.entries if stored else ()

    def add(self, vector: Floats, label: str, domain: str, tower: str, note: str = "") -> CaseEntry:
        """Add a case, and give it back with its new id, which cannot be guessed.

        ``vector`` is a unit vector, float32 ``(D,)``. A case that is there already, with the same vector, domain and
        label, is given back as it is. Raises ``CaseIndexError`` for a label that is none, a full
        file, or vectors of another image tower in it.
        """
        if not _LABEL.fullmatch(label):
            raise CaseIndexError("a label is 1 to 60 letters, digits, spaces or , / + - ( ) ' and begins with a letter")
        half = vector.astype(np.float16)[None]
        with self._locked():
            stored = self.stored()
            index = stored.index if stored else CaseIndex((), np.zeros((0, len(vector)), dtype=np.float16))
            if stored and len(index) and (stored.tower != tower or index.vectors.shape[1] != len(vector)):
                raise CaseIndexError(
                    "your cases were added with another image tower and cannot be compared with new ones; "
                    "remove them and add them again"
                )
            if len(index) >= MOST:
                raise CaseIndexError(f"there are {MOST:,} cases, and no more fit; remove some")
            same = (index.vectors == half).all(axis=1).tolist()
            for known, alike in zip(index.entries, same, strict=True):
                if alike and (known.label, known.domain) == (label, domain):
                    return known
            entry = CaseEntry(id=secrets.token_hex(8), label=label, domain=domain, source=SOURCE, note=note)
            changed = CaseIndex((*index.entries, entry), np.concatenate([index.vectors, half]))
            write_index(self._file, changed, tower)
            return entry

    def remove(self, case_id: str) -> CaseEntry:
        """Remove a case, and give back what it was. Raises ``CaseIndexError`` when there is none of that id."""
        with self._locked():
            stored = self.stored()
            rows = [row for row, entry in enumerate(self.entries()) if entry.id == case_id]
            if stored is None or not rows:
                raise CaseIndexError("there is no case of yours with that id; see: overread cases list")
            keep = [row for row in range(len(stored.index)) if row != rows[0]]
            changed = CaseIndex([stored.index.entries[row] for row in keep], stored.index.vectors[keep])
            if keep:
                write_index(self._file, changed, stored.tower)
            else:
                self._file.unlink()
            return stored.index.entries[rows[0]]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One change at a time, among all processes."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)
