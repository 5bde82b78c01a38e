"""The library: the user's own documents beside the notes, both asked for what answers a question."""

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path

from overread.settings import Settings
from retrieval.search import Hit, KnowledgeBase
from retrieval.storage.base import Found, StoredBase
from retrieval.storage.generations import POINTER, is_base

_AS_SURE = 0.75
"""A note is left out that answers with less than this share of the likelihood of the user's best own document."""


def library_folder(chosen: Settings) -> Path:
    """The folder of the user's own library, which need not be there."""
    return chosen.library or chosen.state / "library"


class UserLibrary:
    """The user's own library as it is now: a newer generation is opened when there is one. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._opened: tuple[str, StoredBase] | None = None

    def base(self) -> StoredBase | None:
        """The current generation, or ``None`` where there is no library. Raises ``BaseError`` when it is damaged."""
        if not is_base(self._folder):
            return None
        with self._lock:
            try:
                name = (self._folder / POINTER).read_text(encoding="ascii")
            except FileNotFoundError:
                return None
            except (OSError, UnicodeDecodeError):
                name = ""
            if self._opened is None or self._opened[0] != name:
                self._opened = (name, StoredBase.open(self._folder))
            return self._opened[1]

    def search(self, query: str, *, findings: Sequence[str] = (), k: int = 4, dense: bool = True) -> list[Hit]:
        """What of the library answers a question, best first, at most ``k``; ``[]`` when nothing does.

        Reports of other patients are no knowledge, and what is retracted answers nothing: both are left out. Where the
        question names nothing, it is about the ``findings``. Where some headings ask just what is asked, what stands
        under others is left out.
        """
        base = self.base()
        if base is None:
            return []
        found = base.search(query, k=k, dense=dense, role="knowledge", retracted=False, instead=findings)
        likely = [one for one in found if one.likely]
        headed = [one for one in likely if one.headed]
        return _without_repeats([_hit(one) for one in headed or likely])


class Knowledge:
    """The notes and the user's own library, searched together. Read-only and safe to share between threads."""

    def __init__(self, notes: KnowledgeBase, own: UserLibrary) -> None:
        self.notes = notes
        self.own = own

    @classmethod
    def open(cls, chosen: Settings) -> "Knowledge":
        """The notes and the library that the settings name. Raises ``NoteError`` when the notes are malformed."""
        return cls(KnowledgeBase.open(chosen), UserLibrary(library_folder(chosen)))

    @property
    def checksum(self) -> str:
        """The SHA-256 of all that can be found here."""
        base = self.own.base()
        if base is None:
            return self.notes.checksum
        return hashlib.sha256(f"{self.notes.checksum}\n{base.checksum}".encode()).hexdigest()

    def search(
        self,
        query: str,
        *,
        domain: str | None = None,
        findings: Sequence[str] = (),
        k: int = 4,
        dense: bool = True,
    ) -> list[Hit]:
        """The passages that answer ``query``, at most ``k``; ``[]`` when nothing here does.

        The arguments are those of ``KnowledgeBase.search``. The notes come first, as they are made for this, but for
        those that answer much less likely than the user's own documents, whose best is always among them.
        """
        of_notes = self.notes.search(query, domain=domain, findings=findings, k=k, dense=dense)
        of_own = self.own.search(query, findings=findings, k=k, dense=dense)
        sure = max((hit.score for hit in of_own), default=0.0)
        of_notes = [hit for hit in of_notes if hit.score >= _AS_SURE * sure]
        kept = max(k - len(of_own), (k + 1) // 2)
        chosen = of_notes[:kept]
        return [*chosen, *of_own[: max(0, k - len(chosen))]]


def _without_repeats(hits: Sequence[Hit]) -> list[Hit]:
    """The hits that say something new: libraries hold the same paragraph again and again."""
    said: set[str] = set()
    kept = []
    for hit in hits:
        if not said.issuperset(hit.sentences):
            kept.append(hit)
        said.update(hit.sentences)
    return kept


def _hit(found: Found) -> Hit:
    stored = found.stored
    start, end = found.answer[0][0], found.answer[-1][1]
    return Hit(
        title=found.title,
        source=found.source,
        url=stored.document.url,
        text=stored.text[start - stored.start : end - stored.start],
        score=found.score,
        note_id=stored.document.id,
        section=stored.section or "Text",
        sentences=tuple(stored.sentence(span) for span in found.answer),
        references=(),
    )
