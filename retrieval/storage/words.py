"""Words: the BM25 index of a generation, memory-mapped."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import BaseError
from retrieval.index import K1, B


def write(texts: Iterable[list[str]], folder: Path) -> dict[str, int]:
    """Index texts, given as their content terms, in order, and save the index in a folder; the terms' numbers.

    There must be a term in them.
    """
    import bm25s

    bm25 = bm25s.BM25(k1=K1, b=B)
    bm25.index(list(texts), show_progress=False)
    bm25.save(folder, show_progress=False)
    return dict(bm25.vocab_dict)


class Words:
    """Scores every passage of a generation by the words of a query. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        """Open the index in a generation's folder. Raises ``BaseError`` when it cannot be read."""
        import bm25s

        try:
            self._bm25: Any = bm25s.BM25.load(folder, load_corpus=False, mmap=True)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BaseError(f"the word index of the knowledge base cannot be read ({type(error).__name__})") from None
        # A view of the mapped file that costs no more than an array to read a few numbers of.
        self._starts: NDArray[np.int64] = np.asarray(self._bm25.scores["indptr"])

    def __len__(self) -> int:
        return int(self._bm25.scores["num_docs"])

    def scores(self, words: Sequence[str]) -> NDArray[np.float32]:
        """BM25 of every passage for content terms: float32 ``(len(self),)``, 0 where no term matches."""
        known = [word for word in words if word in self._bm25.vocab_dict]
        if not known:
            return np.zeros(len(self), dtype=np.float32)
        return np.asarray(self._bm25.get_scores(known), dtype=np.float32)

    @property
    def size(self) -> int:
        """How many terms there are."""
        return len(self._bm25.vocab_dict)

    def number(self, term: str) -> int | None:
        """The number of a term, below ``size``, or ``None`` where it is nowhere."""
        found: int | None = self._bm25.vocab_dict.get(term)
        return found

    def idf(self, term: str) -> float:
        """How rare a term is: log((N + 1) / (df + 1)) + 1, highest for a term that is nowhere."""
        number = self.number(term)
        counted = float(self.rarity(np.array([number]))[0]) if number is not None else 0.0
        return counted or float(np.log(len(self) + 1) + 1)

    def rarity(self, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
        """The same of terms by their numbers."""
        counts = np.asarray(self._starts[numbers + 1], dtype=np.int64) - self._starts[numbers]
        return np.asarray(np.log((len(self) + 1) / (counts + 1)) + 1)
