"""Vectors of many passages, kept on disk in shards, so that a measurement that was stopped goes on where it was."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from overread.encoder import DIMENSIONS, sentence_encoder

SHARD = 512
"""Passages of a shard."""


def vectors_of(
    texts: Sequence[str], folder: Path, progress: Callable[[int, int], None] = lambda done, of: None
) -> NDArray[np.float32]:
    """One unit vector a text, float32 ``(len(texts), 384)``: read from ``folder``, or computed and written there.

    A shard is named by the checksum of its texts. ``progress`` is told how many texts are done, of how many.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for start in range(0, len(texts), SHARD):
        some = list(texts[start : start + SHARD])
        path = folder / (hashlib.sha256("\x00".join(some).encode()).hexdigest()[:32] + ".npy")
        parts.append(_read(path, len(some)) if path.exists() else _compute(some, path))
        progress(min(start + SHARD, len(texts)), len(texts))
    return np.vstack(parts) if parts else np.zeros((0, DIMENSIONS), np.float32)


def _read(path: Path, count: int) -> NDArray[np.float32]:
    vectors: NDArray[np.float32] = np.load(path, allow_pickle=False).astype(np.float32)
    if vectors.shape != (count, DIMENSIONS):
        raise ValueError(f"{path.name} is no shard of {count} vectors; delete it and measure again")
    return vectors


def _compute(texts: list[str], path: Path) -> NDArray[np.float32]:
    vectors = sentence_encoder().encode(texts).astype(np.float16)
    handle, name = tempfile.mkstemp(suffix=".npy.part", dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        np.save(file, vectors)
    Path(name).rename(path)
    return vectors.astype(np.float32)
