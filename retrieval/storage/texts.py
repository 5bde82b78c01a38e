"""Texts: the SQLite file of a generation, with its documents, their passages and the files they came from."""

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from retrieval.chunks import searchable
from retrieval.errors import BaseError
from retrieval.names import OtherName
from retrieval.sources.document import Role, Status
from retrieval.storage.wording import Said
from retrieval.terms import terms

FILE = "library.sqlite"

# Names of columns are put into the queries below from these lists; values never are.
_FACTS = "id, title, format, source, url, licence, date, status, note, domains, role, file"
_ONE = f"SELECT {_FACTS} FROM documents WHERE id = ?"  # noqa: S608
_EVERY = f"SELECT {_FACTS} FROM documents ORDER BY number"  # noqa: S608
_PASSAGES = f"""
SELECT p.row, p.section, p.page, p.start, p."end", p.sentences, substr(d.text, p.start + 1, p."end" - p.start),
{", ".join("d." + name for name in _FACTS.split(", "))}
FROM passages p JOIN documents d ON d.number = p.document WHERE p.row IN (SELECT value FROM json_each(?))
"""  # noqa: S608
_INDEXED = """
SELECT d.number, d.title, p.section, p.start, p."end", p.sentences
FROM passages p JOIN documents d ON d.number = p.document ORDER BY p.row
"""
_ALLOWED = """
SELECT p.row FROM passages p JOIN documents d ON d.number = p.document WHERE
(:source IS NULL OR instr(lower(d.source), lower(:source)) OR lower(d.format) = lower(:source))
AND (:since IS NULL OR substr(d.date || substr('-12-31', length(d.date) - 3), 1, 10) >= :since)
AND (:domain IS NULL OR EXISTS (SELECT 1 FROM json_each(d.domains)
     WHERE value = :domain OR :domain LIKE value || '/%' OR value LIKE :domain || '/%'))
AND (:role IS NULL OR d.role = :role)
AND (:retracted OR d.status != 'retracted')
"""
_NAMES = "SELECT terms, name, title FROM names WHERE terms IN (SELECT value FROM json_each(?))"
_COUNTED = frozenset({"format", "status", "role", "licence", "source"})
_PROBLEMS = "SELECT path, problem FROM files WHERE problem IS NOT NULL ORDER BY path"


@dataclass(frozen=True)
class Facts:
    """What is known of a stored document beside its text. ``file`` is where it came from."""

    id: str
    title: str
    format: str
    source: str
    url: str | None
    licence: str | None
    date: str | None
    status: Status
    note: str | None
    domains: tuple[str, ...]
    role: Role
    file: str


@dataclass(frozen=True)
class Stored:
    """A stored passage: ``text`` is the document's text from ``start`` to ``end``, verbatim.

    ``sentences`` are half-open offsets in the document's text.
    """

    row: int
    document: Facts
    section: str
    page: int | None
    start: int
    end: int
    text: str
    sentences: tuple[tuple[int, int], ...]

    def sentence(self, span: tuple[int, int]) -> str:
        """One of the sentences."""
        return self.text[span[0] - self.start : span[1] - self.start]


class Texts:
    """The documents and passages of one generation, read-only. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        """Open the file in a generation's folder. It is taken as unchanging: no lock is held on it."""
        self._lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(
                f"{(folder / FILE).absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
            )
            self._connection.execute("PRAGMA mmap_size = 1073741824")
            self.passages = self._one("SELECT count(*) FROM passages")
            self.documents = self._one("SELECT count(*) FROM documents")
        except sqlite3.Error as error:
            raise BaseError(f"the documents of the knowledge base cannot be read ({type(error).__name__})") from None

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def stored(self, rows: Sequence[int]) -> list[Stored]:
        """The passages of some rows, in the order given."""
        numbers = json.dumps([int(row) for row in rows])
        found = {record[0]: _stored(record) for record in self._all(_PASSAGES, [numbers])}
        return [found[int(row)] for row in rows]

    def facts(self, id_: str) -> Facts | None:
        """A document by its id."""
        found = self._all(_ONE, [id_])
        return _facts(found[0]) if found else None

    def text(self, id_: str) -> str | None:
        """The whole text of a document by its id."""
        found = self._all("SELECT text FROM documents WHERE id = ?", [id_])
        return str(found[0][0]) if found else None

    def all_facts(self) -> list[Facts]:
        """Every document, in the order they were added."""
        return [_facts(record) for record in self._all(_EVERY)]

    def problems(self) -> list[tuple[str, str]]:
        """The files that could not be read, and why."""
        return [(str(path), str(why)) for path, why in self._all(_PROBLEMS)]

    def counts(self, column: str) -> dict[str, int]:
        """How many documents there are of each value of format, status, role, licence or source."""
        if column not in _COUNTED:
            raise ValueError(column)
        found = self._all(f"SELECT {column}, count(*) FROM documents GROUP BY 1 ORDER BY 2 DESC, 1")  # noqa: S608
        return {str(value) if value is not None else "not known": int(number) for value, number in found}

    def allowed(
        self,
        *,
        source: str | None = None,
        since: str | None = None,
        domain: str | None = None,
        role: Role | None = None,
        retracted: bool = True,
    ) -> NDArray[np.bool_] | None:
        """Which passages filters let through, ``(passages,)``; ``None`` where all. See ``StoredBase.search``."""
        values = {"source": source, "since": since, "domain": domain, "role": role}
        if retracted and not any(values.values()):
            return None
        mask = np.zeros(self.passages, dtype=np.bool_)
        mask[[record[0] for record in self._all(_ALLOWED, {**values, "retracted": retracted})]] = True
        return mask

    def other_names(self, runs: Sequence[str]) -> dict[str, OtherName]:
        """The other names of subjects among some runs of terms."""
        found = self._all(_NAMES, [json.dumps(runs)])
        return {run: OtherName(name, title) for run, name, title in found}

    def keys(self) -> list[bytes]:
        """The content key of every passage, in the order of rows."""
        return [bytes(record[0]) for record in self._all("SELECT key FROM passages ORDER BY row")]

    def searchable(self) -> Iterator[str]:
        """The text that is encoded of every passage, in the order of rows."""
        with self._lock:
            for title, section, text, _ in _passages(self._connection):
                yield searchable(title, section, text)

    def said(self) -> Iterator[Said]:
        """What every passage says, in terms, in the order of rows."""
        with self._lock:
            for title, section, text, spans in _passages(self._connection):
                cut = [terms(text[a:b]) for a, b in spans]
                yield Said(terms(title), terms(section) if section else None, cut)

    def _one(self, query: str) -> int:
        return int(self._all(query)[0][0])

    def _all(self, query: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(query, values).fetchall()


def _passages(connection: sqlite3.Connection) -> Iterator[tuple[str, str, str, list[tuple[int, int]]]]:
    """Title, heading, text and sentences of every passage, in order; the sentences are offsets in the text."""
    number, whole = None, ""
    for document, title, section, start, end, sentences in connection.execute(_INDEXED):
        if document != number:
            number = document
            whole = connection.execute("SELECT text FROM documents WHERE number = ?", [document]).fetchone()[0]
        yield title, section, whole[start:end], [(a - start, b - start) for a, b in _spans(sentences)]


def _spans(stored: bytes) -> list[tuple[int, int]]:
    return [(a, b) for a, b in np.frombuffer(stored, dtype="<i4").reshape(-1, 2).tolist()]


def _stored(record: tuple[Any, ...]) -> Stored:
    row, section, page, start, end, sentences, text = record[:7]
    return Stored(row, _facts(record[7:]), section, page, start, end, text, tuple(_spans(sentences)))


def _facts(record: tuple[Any, ...]) -> Facts:
    id_, title, format_, source, url, licence, date, status, note, domains, role, file = record
    return Facts(
        id_, title, format_, source, url, licence, date, cast(Status, status), note, tuple(json.loads(domains)),
        cast(Role, role), file,
    )  # fmt: skip
