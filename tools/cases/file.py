"""The file a case index is kept in: one safetensors file, whole or not there.

The tensor ``vectors`` is float16 ``(N, D)``. The notes hold the entries as JSON, the SHA-256 of the image
tower's weights the vectors were made with, and a SHA-256 of all of it.
"""

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from tools.cases.index import CaseEntry, CaseIndex, Halves
from tools.errors import CaseIndexError

FORMAT = "overread-cases-1"
_ENTRIES: TypeAdapter[tuple[CaseEntry, ...]] = TypeAdapter(tuple[CaseEntry, ...])


@dataclass(frozen=True)
class StoredIndex:
    """An index as it was read. ``tower`` is the SHA-256 of the weights its vectors were made with."""

    index: CaseIndex
    tower: str


def write_index(path: Path, index: CaseIndex, tower: str) -> None:
    """Write the whole file beside ``path`` and put it in its place; a crash leaves the old one as it was.

    The file is its owner's alone (mode 0600).
    """
    from safetensors.numpy import save

    entries = _ENTRIES.dump_json(index.entries).decode()
    notes = {"format": FORMAT, "tower": tower, "entries": entries, "sha256": _digest(index.vectors, entries, tower)}
    data = save({"vectors": np.ascontiguousarray(index.vectors)}, notes)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        part.unlink(missing_ok=True)


def read_index(path: Path) -> StoredIndex:
    """The index in a file. Raises ``CaseIndexError`` when it is not there, is damaged or is of another kind."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            notes = dict(file.metadata() or {})
            vectors = file.get_tensor("vectors")
        entries = _ENTRIES.validate_json(notes["entries"])
        whole = notes["format"] == FORMAT and notes["sha256"] == _digest(vectors, notes["entries"], notes["tower"])
    except FileNotFoundError:
        raise CaseIndexError("there is no case index there; build it, or add a case first") from None
    except (SafetensorError, OSError, KeyError, ValidationError, json.JSONDecodeError) as error:
        raise CaseIndexError(f"the case index cannot be read ({type(error).__name__}); restore or build it") from None
    if not whole:
        raise CaseIndexError("the case index is damaged: its SHA-256 differs; restore it from a copy, or build it")
    return StoredIndex(CaseIndex(entries, vectors), notes["tower"])


def _digest(vectors: Halves, entries: str, tower: str) -> str:
    digest = hashlib.sha256(f"{FORMAT}\n{tower}\n{vectors.dtype}\n{vectors.shape}\n".encode())
    digest.update(np.ascontiguousarray(vectors).tobytes())
    digest.update(entries.encode())
    return digest.hexdigest()
