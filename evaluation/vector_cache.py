"""Vectors of many texts, kept on disk, so that a measurement that was stopped goes on where it was."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from overread.encoder import DIMENSIONS, sentence_encoder

SHARD = 512
"""Texts computed, and written, at once."""


def vectors_of(
    texts: Sequence[str], folder: Path, progress: Callable[[int, int], None] | None = None
) -> NDArray[np.float32]:
    """One unit vector a text, float32 ``(len(texts), 384)``: read from ``folder``, or computed and written there.

    They are kept with 16 bits. ``progress`` is told how many of the missing texts are done, of how many.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = _read(folder)
    missing = [text for text in dict.fromkeys(texts) if _key(text) not in known]
    for start in range(0, len(missing), SHARD):
        some = missing[start : start + SHARD]
        known |= _write(folder, some, sentence_encoder().encode(some))
        if progress:
            progress(min(start + SHARD, len(missing)), len(missing))
    if not texts:
        return np.zeros((0, DIMENSIONS), np.float32)
    return np.stack([known[_key(text)] for text in texts]).astype(np.float32)


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:16]


def _read(folder: Path) -> dict[bytes, NDArray[np.float16]]:
    known: dict[bytes, NDArray[np.float16]] = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as shard:
            keys, vectors = shard["keys"], shard["vectors"]
        if keys.shape != (len(vectors), 16) or vectors.shape[1] != DIMENSIONS:
            raise ValueError(f"{path.name} is no shard of vectors; delete it and measure again")
        known |= {key.tobytes(): vector for key, vector in zip(keys, vectors, strict=True)}
    return known


def _write(folder: Path, texts: Sequence[str], vectors: NDArray[np.float32]) -> dict[bytes, NDArray[np.float16]]:
    keys = np.frombuffer(b"".join(map(_key, texts)), dtype=np.uint8).reshape(-1, 16)
    half = vectors.astype(np.float16)
    handle, name = tempfile.mkstemp(suffix=".part", dir=folder)
    with os.fdopen(handle, "wb") as file:
        np.savez(file, keys=keys, vectors=half)
    Path(name).rename(folder / f"{hashlib.sha256(keys.tobytes()).hexdigest()[:32]}.npz")
    return {key.tobytes(): vector for key, vector in zip(keys, half, strict=True)}
