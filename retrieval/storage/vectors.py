"""Vectors: the dense half of a generation, and the vectors that wait to become part of one.

Beside the FAISS index, which is chosen by size, every vector is kept as float16: candidates are compared exactly, and
what was encoded once is never encoded again. Vectors are named by the content of what they stand for.
"""

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overread.encoder import DIMENSIONS
from retrieval.errors import BaseError

ROWS, VALUES, INDEX = "rows.npy", "vectors.npy", "vectors.faiss"

FLAT_BELOW = 10_000
"""Fewer vectors are compared one by one; more are kept in inverted lists (IVF) of 8-bit codes."""

_KEY = 16
_SEGMENT = np.dtype([("key", f"V{_KEY}"), ("vector", "<f2", (DIMENSIONS,))])
_BATCH = 50_000
_TRAINED_ON = 64
"""Vectors a list that the lists' centres are learned from."""


def layout(count: int) -> tuple[str, int]:
    """The FAISS index for so many vectors, as a factory string, and how many lists a search looks into."""
    if count < FLAT_BELOW:
        return "Flat", 0
    lists = 2 ** max(6, round(np.log2(4 * np.sqrt(count))) - 1)
    return f"IVF{lists},SQ8", max(16, lists // 16)


def build_index(vectors: NDArray[Any], factory: str, probes: int) -> Any:
    """A FAISS index by inner product over unit vectors ``(n, 384)`` of any float type, in order."""
    import faiss

    index: Any = faiss.index_factory(DIMENSIONS, factory, faiss.METRIC_INNER_PRODUCT)
    if not index.is_trained:
        most = _TRAINED_ON * index.nlist
        chosen = np.random.default_rng(0).permutation(len(vectors))[:most]
        index.train(np.asarray(vectors[np.sort(chosen)], dtype=np.float32))
    for start in range(0, len(vectors), _BATCH):
        index.add(np.asarray(vectors[start : start + _BATCH], dtype=np.float32))
    if probes:
        index.nprobe = probes
    return index


def write(rows: NDArray[np.int32], vectors: NDArray[np.float16], folder: Path, indexed: bool) -> None:
    """Write the vectors of some passages into a generation's folder; ``indexed``: with an index to search them."""
    np.save(folder / ROWS, rows)
    np.save(folder / VALUES, vectors)
    if indexed and len(rows):
        import faiss

        faiss.write_index(build_index(vectors, *layout(len(rows))), str(folder / INDEX))


class Vectors:
    """The vectors of a generation, memory-mapped. Safe to share between threads.

    ``rows`` are the passages that have a vector. ``searchable`` is false where there is no index over them.
    """

    def __init__(self, folder: Path, passages: int) -> None:
        """Open the vectors in a generation's folder. Raises ``BaseError`` when they cannot be read."""
        try:
            self.rows: NDArray[np.int32] = np.load(folder / ROWS, mmap_mode="r")
            self.values: NDArray[np.float16] = np.load(folder / VALUES, mmap_mode="r")
        except (OSError, ValueError) as error:
            raise BaseError(f"the vectors of the knowledge base cannot be read ({type(error).__name__})") from None
        self._passages = passages
        self._place: NDArray[np.int32] | None = None
        self._index: Any = None
        self.searchable = (folder / INDEX).is_file()
        if self.searchable:
            import faiss

            try:
                self._index = faiss.read_index(str(folder / INDEX), faiss.IO_FLAG_MMAP_IFC)
            except RuntimeError:
                raise BaseError("the vector index of the knowledge base cannot be read") from None

    def __len__(self) -> int:
        return len(self.rows)

    def nearest(
        self, query: NDArray[np.float32], count: int, allowed: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int32]:
        """The rows of the passages nearest to a unit vector ``(384,)``, at most ``count``, of those allowed."""
        import faiss

        parameters: Any = None
        if allowed is not None:
            kind: Any = faiss.SearchParametersIVF if hasattr(self._index, "nprobe") else faiss.SearchParameters
            selector = faiss.IDSelectorBatch(np.flatnonzero(allowed[self.rows]).astype(np.int64))
            parameters = kind(sel=selector)
            if hasattr(self._index, "nprobe"):
                parameters.nprobe = self._index.nprobe
        _, found = self._index.search(query[None, :], min(count, len(self)), params=parameters)
        return np.asarray(self.rows[found[0][found[0] >= 0]])

    def cosines(self, query: NDArray[np.float32], rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """The cosine of each passage with a unit vector, exactly; 0 where a passage has no vector."""
        if self._place is None:
            place = np.full(self._passages, -1, dtype=np.int32)
            place[self.rows] = np.arange(len(self.rows), dtype=np.int32)
            self._place = place
        places = self._place[rows]
        out = np.zeros(len(rows), dtype=np.float32)
        there = places >= 0
        out[there] = self.values[places[there]].astype(np.float32) @ query
        return out


class Pending:
    """Vectors on disk that no generation holds yet. Each segment is there whole or not at all."""

    def __init__(self, folder: Path) -> None:
        """``folder`` is of one encoder. It may be absent."""
        self._folder = folder

    def save(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Write a segment: one unit vector ``(384,)`` for each content key."""
        self._folder.mkdir(parents=True, exist_ok=True)
        segment = np.zeros(len(keys), dtype=_SEGMENT)
        segment["key"] = np.frombuffer(b"".join(keys), dtype=f"V{_KEY}")
        segment["vector"] = vectors
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".", suffix=".npy", delete=False) as file:
            np.save(file, segment)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(self._folder / f"{len(list(self._folder.glob('[0-9]*.npy'))) + 1:06d}.npy")

    def load(self) -> Iterable[tuple[list[bytes], NDArray[np.float16]]]:
        """The keys and vectors of every whole segment. A damaged one is passed over: its texts are encoded again."""
        for path in sorted(self._folder.glob("[0-9]*.npy")):
            try:
                segment = np.load(path)
            except (OSError, ValueError, EOFError):
                continue
            if segment.dtype == _SEGMENT:
                yield [bytes(key) for key in segment["key"]], segment["vector"]
