"""Staging: the texts of the next generation while they are being changed."""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from retrieval.chunks import Chunk, content_key, searchable
from retrieval.names import table
from retrieval.sources.document import Document

_SCHEMA = """
CREATE TABLE files (path TEXT PRIMARY KEY, sha256 BLOB NOT NULL, problem TEXT) WITHOUT ROWID;
CREATE TABLE documents (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, file TEXT NOT NULL, content BLOB NOT NULL, title TEXT NOT NULL,
    text TEXT NOT NULL, format TEXT NOT NULL, source TEXT NOT NULL, url TEXT, licence TEXT, date TEXT,
    status TEXT NOT NULL, note TEXT, domains TEXT NOT NULL, role TEXT NOT NULL,
    names TEXT NOT NULL DEFAULT '[]'
);
CREATE TABLE passages (
    row INTEGER PRIMARY KEY, document INTEGER NOT NULL, section TEXT NOT NULL, page INTEGER,
    start INTEGER NOT NULL, "end" INTEGER NOT NULL, sentences BLOB NOT NULL, key BLOB NOT NULL
);
CREATE TABLE names (terms TEXT PRIMARY KEY, name TEXT NOT NULL, title TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX documents_file ON documents (file);
CREATE INDEX documents_content ON documents (content);
CREATE INDEX passages_document ON passages (document);
"""

_COLUMNS = "id, file, content, title, text, format, source, url, licence, date, status, note, domains, role, names"
_INSERT = f"INSERT INTO documents ({_COLUMNS}) VALUES ({', '.join('?' * len(_COLUMNS.split(', ')))})"  # noqa: S608
_RENUMBER = """
INSERT INTO fresh.passages
SELECT row_number() OVER (ORDER BY document, row) - 1, document, section, page, start, "end", sentences, key
FROM passages ORDER BY document, row
"""


class Staging:
    """A copy of a generation's texts that is being changed. What was committed survives a kill."""

    def __init__(self, path: Path) -> None:
        """Open or begin the file at ``path``."""
        self._connection = sqlite3.connect(path)
        self._connection.execute("PRAGMA secure_delete = ON")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        if not self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'passages'").fetchone():
            self._connection.executescript(_SCHEMA)
        if not self._connection.execute("SELECT 1 FROM pragma_table_info('documents') WHERE name = 'names'").fetchone():
            # Written by a version that knew no other names.
            self._connection.execute("ALTER TABLE documents ADD COLUMN names TEXT NOT NULL DEFAULT '[]'")
        self.changed = False

    def close(self) -> None:
        """Let go of the file. What was not committed is lost."""
        self._connection.close()

    def commit(self) -> None:
        """Make what was changed so far last."""
        self._connection.commit()

    def digest(self, path: str) -> bytes | None:
        """The SHA-256 that a file had when it was read, or ``None`` where it was not."""
        query = "SELECT sha256 FROM files WHERE path IN (?, ?)"
        found = self._connection.execute(query, [path, _veiled(path)]).fetchone()
        return bytes(found[0]) if found else None

    @property
    def based_on(self) -> int:
        """The number of the generation that this is a copy of."""
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    @based_on.setter
    def based_on(self, number: int) -> None:
        self._connection.execute(f"PRAGMA user_version = {int(number)}")
        self._connection.commit()

    def problems(self, path: str) -> list[tuple[str, str]]:
        """What could not be read of a file and its members, and why."""
        query = "SELECT path, problem FROM files WHERE problem IS NOT NULL AND (path = ? OR path LIKE ? ESCAPE '\\')"
        return self._connection.execute(query, [path, _below(path)]).fetchall()

    def begin_file(self, path: str) -> int:
        """Take out what was read of a file before, and of its members; how many documents that were."""
        below = _below(path)
        numbers = [
            number
            for (number,) in self._connection.execute(
                "SELECT number FROM documents WHERE file = ? OR file LIKE ? ESCAPE '\\'", [path, below]
            )
        ]
        self._drop(numbers)
        self._connection.execute(
            "DELETE FROM files WHERE path IN (?, ?) OR path LIKE ? ESCAPE '\\'", [path, _veiled(path), below]
        )
        return len(numbers)

    def end_file(self, path: str, digest: bytes, problem: str | None) -> None:
        """Remember that a file was read, and what went wrong."""
        self._connection.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", [path, digest, problem])
        self.changed = True

    def same_content(self, content: bytes) -> str | None:
        """The id of a document with the same content, or ``None``."""
        found = self._connection.execute("SELECT id FROM documents WHERE content = ?", [content]).fetchone()
        return str(found[0]) if found else None

    def add(self, id_: str, file: str, content: bytes, document: Document, chunks: Sequence[Chunk]) -> None:
        """Store a document and its passages."""
        values = [
            id_, file, content, document.title, document.text, document.format, document.source, document.url,
            document.licence, document.date, document.status, document.note, json.dumps(document.domains),
            document.role, json.dumps(document.names),
        ]  # fmt: skip
        number = self._connection.execute(_INSERT, values).lastrowid
        self._connection.executemany(
            'INSERT INTO passages (document, section, page, start, "end", sentences, key) VALUES (?, ?, ?, ?, ?, ?, ?)',
            [
                (
                    number, chunk.section, chunk.page, chunk.start, chunk.end,
                    np.asarray(chunk.sentences, dtype="<i4").tobytes(),
                    content_key(searchable(document.title, chunk.section, document.text[chunk.start : chunk.end])),
                )
                for chunk in chunks
            ],
        )  # fmt: skip
        self.changed = True

    def remove(self, id_: str) -> bool:
        """Take out one document; whether it was there. It stays out until its file changes or is read again.

        A file that no document is left of is remembered by a hash of its path.
        """
        found = self._connection.execute("SELECT number, file FROM documents WHERE id = ?", [id_]).fetchone()
        if not found:
            return False
        self._drop([found[0]])
        if not self._connection.execute("SELECT 1 FROM documents WHERE file = ?", [found[1]]).fetchone():
            self._connection.execute("UPDATE files SET path = ? WHERE path = ?", [_veiled(found[1]), found[1]])
        self.changed = True
        return True

    def write(self, path: Path) -> None:
        """Write a fresh file with rows counted from 0. Nothing of what was taken out is in it."""
        self._connection.commit()
        with closing(sqlite3.connect(path)) as fresh:
            fresh.execute("PRAGMA synchronous = OFF")
            fresh.executescript(_SCHEMA)
        self._connection.execute("ATTACH ? AS fresh", [str(path)])
        self._connection.execute("INSERT INTO fresh.files SELECT * FROM files")
        self._connection.execute("INSERT INTO fresh.documents SELECT * FROM documents ORDER BY number")
        self._connection.execute(_RENUMBER)
        self._connection.executemany("INSERT INTO fresh.names VALUES (?, ?, ?)", self._names())
        self._connection.commit()
        self._connection.execute("DETACH fresh")

    def _names(self) -> Iterator[tuple[str, str, str]]:
        """What else the subjects are called: terms, name and title."""
        told = self._connection.execute("SELECT title, names FROM documents WHERE role = 'knowledge' ORDER BY number")
        for run, other in table((title, json.loads(names)) for title, names in told).items():
            yield run, other.name, other.title

    def _drop(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._connection.execute("DELETE FROM passages WHERE document = ?", [number])
            self._connection.execute("DELETE FROM documents WHERE number = ?", [number])
        self.changed = self.changed or bool(numbers)


def _veiled(path: str) -> str:
    return "removed " + hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()


def _below(path: str) -> str:
    """A pattern for the members of an archive."""
    return path.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "!/%"
