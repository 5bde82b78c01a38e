"""The index: BM25 over words and FAISS over sentence vectors, both cached on disk.

The half made of words opens at once. The dense half is built or opened on the first question that
wants it, because it needs the sentence encoder.
"""

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overread.encoder import DIMENSIONS, encoder_digest, sentence_encoder
from retrieval.cache import load_or_build
from retrieval.errors import IndexCacheError
from retrieval.starter_vectors import encoded
from retrieval.terms import content, terms

K1, B = 1.2, 0.75
"""BM25's usual constants (Robertson and Zaragoza, 2009)."""

_FORMAT = "2"


class Index:
    """Scores every text of a list for a query, by words and by meaning. Safe to use from several threads."""

    def __init__(self, texts: Sequence[str], folder: Path) -> None:
        """``texts`` are what is indexed, in order; ``folder`` is where indexes are cached."""
        self._texts = list(texts)
        self._folder = folder
        self._digest = hashlib.sha256("\x00".join([_FORMAT, *self._texts]).encode()).hexdigest()
        self._words = [content(terms(text)) for text in self._texts]
        self._lock = threading.Lock()
        self._vectors: Any = None
        name = f"words-{self._key(' '.join(term for words in self._words for term in words))}"
        self._bm25: Any = load_or_build(folder / name, self._build_words, _save_words, self._load_words)

    def __len__(self) -> int:
        return len(self._texts)

    @property
    def checksum(self) -> str:
        """The SHA-256 of the texts, in order."""
        return self._digest

    def terms_of(self, row: int) -> frozenset[str]:
        """The content terms of one text."""
        return frozenset(self._words[row])

    def idf(self, term: str) -> float:
        """How rare a term is: log((N + 1) / (df + 1)) + 1, highest for a term that is nowhere."""
        return float(np.log((len(self) + 1) / (self._document_counts().get(term, 0) + 1)) + 1)

    def lexical(self, words: Sequence[str]) -> NDArray[np.float32]:
        """BM25 of every text for content terms: float32 ``(len(self),)``, 0 where no term matches."""
        known = [word for word in words if word in self._bm25.vocab_dict]
        if not known:
            return np.zeros(len(self), dtype=np.float32)
        return np.asarray(self._bm25.get_scores(known), dtype=np.float32)

    def dense(self, text: str) -> NDArray[np.float32]:
        """Cosine of every text with a query: float32 ``(len(self),)`` in [-1, 1]. Loads the encoder."""
        vectors = self._open_vectors()
        similarities, rows = vectors.search(sentence_encoder().encode([text]), len(self))
        out = np.zeros(len(self), dtype=np.float32)
        out[rows[0]] = similarities[0]
        return out

    def _key(self, *parts: str) -> str:
        return hashlib.sha256("\x00".join([self._digest, *parts]).encode()).hexdigest()[:24]

    def _document_counts(self) -> dict[str, int]:
        if not hasattr(self, "_counts"):
            counts: dict[str, int] = {}
            for words in self._words:
                for word in set(words):
                    counts[word] = counts.get(word, 0) + 1
            self._counts = counts
        return self._counts

    def _build_words(self) -> Any:
        import bm25s

        bm25 = bm25s.BM25(k1=K1, b=B)
        bm25.index(self._words, show_progress=False)
        return bm25

    def _load_words(self, folder: Path) -> Any:
        import bm25s

        try:
            bm25 = bm25s.BM25.load(folder, load_corpus=False, mmap=True)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IndexCacheError(f"the cached word index cannot be read ({type(error).__name__})") from None
        if bm25.scores["num_docs"] != len(self):
            raise IndexCacheError("the cached word index is of other texts")
        return bm25

    def _open_vectors(self) -> Any:
        with self._lock:
            if self._vectors is None:
                name = f"vectors-{self._key(encoder_digest())}"
                self._vectors = load_or_build(
                    self._folder / name, self._build_vectors, _save_vectors, self._load_vectors
                )
            return self._vectors

    def _build_vectors(self) -> Any:
        import faiss

        flat = faiss.IndexFlatIP(DIMENSIONS)
        flat.add(encoded(self._texts))
        return flat

    def _load_vectors(self, folder: Path) -> Any:
        import faiss

        try:
            flat = faiss.read_index(str(folder / _VECTORS))
        except RuntimeError:
            raise IndexCacheError("the cached vectors cannot be read") from None
        if flat.ntotal != len(self) or flat.d != DIMENSIONS:
            raise IndexCacheError("the cached vectors are of other texts")
        return flat


_VECTORS = "vectors.faiss"


def _save_words(bm25: Any, folder: Path) -> None:
    bm25.save(folder, show_progress=False)


def _save_vectors(flat: Any, folder: Path) -> None:
    import faiss

    faiss.write_index(flat, str(folder / _VECTORS))
