"""How a library's index grows: opening time, search time, recall and size, up to a million vectors.

Run ``python -m evaluation.index_growth [COUNT ...]`` for vectors alone, ``... --index HNSW32 [COUNT ...]`` for those in
another FAISS index, ``... --library COUNT`` for a whole library.
Vectors are synthetic: unit vectors around as many centres as there are subjects, so that neighbours exist, as with
sentences; queries are others of the same kind. A library is of synthetic documents of one passage, read by the real
reader, with synthetic vectors. Each is written as it would be, opened in a new process, and searched there one query
at a time.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from overread.encoder import DIMENSIONS
from retrieval.storage import indexing, vectors

COUNTS = (10_000, 100_000, 1_000_000)
QUERIES = 200
NEAREST = 10
_SUBJECT = 50
"""Vectors around one centre, on average."""

_SPREAD = 0.8
_BATCH = 100_000

READER = """
import json, sys, time
import numpy as np
import faiss, overread.encoder
from retrieval.storage.vectors import Vectors
folder, count = sys.argv[1], int(sys.argv[2])
from pathlib import Path
queries = np.load(Path(folder) / "queries.npy")
held = lambda: int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6
before = held()
began = time.perf_counter()
opened = Vectors(Path(folder), count)
opening = time.perf_counter() - began
for query in queries[:5]:
    opened.nearest(query, 100)
times, found = [], []
for query in queries:
    began = time.perf_counter()
    rows = opened.nearest(query, 100)
    cosines = opened.cosines(query, rows)
    times.append(time.perf_counter() - began)
    found.append(rows[np.argsort(-cosines)][:10].tolist())
after = held()
print(json.dumps({"opening": opening, "times": times, "found": found, "megabytes": after - before}))
"""


OPENER = """
import json, sys, time
from pathlib import Path
import bm25s, faiss, retrieval.storage.base
from retrieval.storage.base import StoredBase
began = time.perf_counter()
opened = StoredBase.open(Path(sys.argv[1]))
opening = time.perf_counter() - began
began = time.perf_counter()
opened.search("first query", dense=False)
first = time.perf_counter() - began
times = []
for query in json.loads(sys.argv[2]):
    began = time.perf_counter()
    opened.search(query, dense=False)
    times.append(time.perf_counter() - began)
print(json.dumps({"opening": opening, "first": first, "times": times}))
"""


def made(count: int, centres: NDArray[np.float32], seed: int) -> Iterator[NDArray[np.float32]]:
    """Unit vectors in batches: float32 ``(n, 384)``."""
    random = np.random.default_rng(seed)
    for start in range(0, count, _BATCH):
        size = min(_BATCH, count - start)
        some = centres[random.integers(0, len(centres), size)]
        some = some + _SPREAD * random.standard_normal((size, DIMENSIONS), dtype=np.float32) / np.sqrt(DIMENSIONS)
        yield some / np.linalg.norm(some, axis=1, keepdims=True)


def measure(count: int, folder: Path, factory: str | None = None) -> dict[str, object]:
    """The figures of one size, in the index that a library of that size has, or in another."""
    random = np.random.default_rng(7)
    centres = random.standard_normal((max(64, count // _SUBJECT), DIMENSIONS), dtype=np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    queries = next(made(QUERIES, centres, seed=1))
    np.save(folder / "queries.npy", queries)
    stored = np.empty((count, DIMENSIONS), dtype=np.float16)
    best = np.full((QUERIES, NEAREST), -2, dtype=np.float32)
    rows = np.zeros((QUERIES, NEAREST), dtype=np.int64)
    start = 0
    for batch in made(count, centres, seed=2):
        stored[start : start + len(batch)] = batch
        cosines = np.hstack([best, queries @ batch.T])
        numbers = np.hstack([rows, np.broadcast_to(np.arange(start, start + len(batch)), (QUERIES, len(batch)))])
        top = np.argpartition(-cosines, NEAREST, axis=1)[:, :NEAREST]
        best, rows = np.take_along_axis(cosines, top, 1), np.take_along_axis(numbers, top, 1)
        start += len(batch)
    began = time.perf_counter()
    vectors.write(np.arange(count, dtype=np.int32), stored, folder, indexed=factory is None)
    if factory is not None:
        import faiss

        faiss.write_index(vectors.build_index(stored, factory, 0), str(folder / vectors.INDEX))
    building = time.perf_counter() - began
    del stored
    done = subprocess.run(
        [sys.executable, "-c", READER, str(folder), str(count)], capture_output=True, text=True, check=True
    )
    read = json.loads(done.stdout)
    hits = [len(set(found) & set(exact)) / NEAREST for found, exact in zip(read["found"], rows.tolist(), strict=True)]
    bootstrap = random.choice(hits, (1000, QUERIES)).mean(axis=1)
    return {
        "vectors": count,
        "index": factory or vectors.layout(count)[0],
        "built_s": round(building, 1),
        "opened_ms": round(1000 * read["opening"], 1),
        "search_p50_ms": round(1000 * float(np.percentile(read["times"], 50)), 2),
        "search_p95_ms": round(1000 * float(np.percentile(read["times"], 95)), 2),
        "recall_at_10": round(float(np.mean(hits)), 3),
        "recall_interval": [round(float(q), 3) for q in np.percentile(bootstrap, [2.5, 97.5])],
        "index_mb": round((folder / vectors.INDEX).stat().st_size / 1e6, 1),
        "reader_mb": round(read["megabytes"], 1),
    }


class _Synthetic:
    """Stands for the sentence encoder, whose speed is not what is measured here."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(3)

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        some = self._random.standard_normal((len(texts), DIMENSIONS), dtype=np.float32)
        out: NDArray[np.float32] = some / np.linalg.norm(some, axis=1, keepdims=True)
        return out


def measure_library(count: int, folder: Path) -> dict[str, object]:
    """The figures of a whole library of so many documents, each of one passage of 60 words."""
    random = np.random.default_rng(5)
    words = [f"term{number}" for number in range(50_000)]
    source = folder / "documents.jsonl"
    with source.open("w") as file:
        for number in range(count):
            drawn = np.minimum(random.zipf(1.3, 60) - 1, len(words) - 1)
            text = " ".join(words[one] for one in drawn) + "."
            file.write(json.dumps({"id": number, "title": f"Document {number}", "text": text}) + "\n")
    queries = [" ".join(words[one] for one in random.integers(0, 2_000, 4)) for _ in range(QUERIES)]
    base = folder / "base"
    began = time.perf_counter()
    indexing.add(base, [source], lambda *_: None)
    adding = time.perf_counter() - began
    indexing.sentence_encoder = _Synthetic  # type: ignore[assignment,attr-defined]
    indexing.fill(base, lambda *_: None)
    done = subprocess.run(
        [sys.executable, "-c", OPENER, str(base), json.dumps(queries)], capture_output=True, text=True, check=True
    )
    read = json.loads(done.stdout)
    return {
        "passages": count,
        "added_s": round(adding, 1),
        "opened_ms": round(1000 * read["opening"], 1),
        "first_search_ms": round(1000 * read["first"], 1),
        "words_p50_ms": round(1000 * float(np.percentile(read["times"], 50)), 2),
        "words_p95_ms": round(1000 * float(np.percentile(read["times"], 95)), 2),
    }


def main(arguments: list[str]) -> int:
    """Print one JSON object a size."""
    whole = arguments[:1] == ["--library"]
    factory = arguments[1] if arguments[:1] == ["--index"] else None
    counts = arguments[1:] if whole else arguments[2:] if factory else arguments
    for count in map(int, counts or COUNTS):
        with tempfile.TemporaryDirectory() as folder:
            found = measure_library(count, Path(folder)) if whole else measure(count, Path(folder), factory)
            sys.stdout.write(json.dumps(found) + "\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
