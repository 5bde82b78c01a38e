"""The case index: unit vectors of known images and what is known of each, searched by FAISS.

No pixels and no header of a patient are in it. A vector is made from an image all the same: whoever has the
image can tell whether it is in the index.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from overread.records import Record
from tools.errors import ToolError

if TYPE_CHECKING:
    import faiss

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]


class CaseEntry(Record):
    """What is known of one case. ``id`` is no name of anybody; ``note`` is the user's own, or empty."""

    id: str
    label: str
    domain: str
    source: str
    licence: str = ""
    note: str = ""


@dataclass(frozen=True)
class Neighbour:
    """A case that looks alike. ``similarity`` is the cosine of the two vectors, in [-1, 1]."""

    entry: CaseEntry
    similarity: float


class CaseIndex:
    """Cases with their vectors. Immutable, so it is safe to search from several threads.

    ``vectors`` is float16 ``(N, D)``, rows of unit length as near as float16 can hold them.
    """

    def __init__(self, entries: Sequence[CaseEntry], vectors: Halves) -> None:
        """Raises ``ToolError`` when entries and vectors do not belong together."""
        if vectors.ndim != 2 or vectors.dtype != np.float16 or len(vectors) != len(entries):
            raise ToolError("a case index needs one float16 vector for each case; build it again")
        if len({entry.id for entry in entries}) != len(entries):
            raise ToolError("two cases of the index have the same id; build it again")
        self.entries = tuple(entries)
        self.vectors = vectors
        self._rows: dict[str, list[int]] = {}
        for row, entry in enumerate(self.entries):
            self._rows.setdefault(entry.domain, []).append(row)
        self._flat: dict[str, tuple[list[int], faiss.IndexFlatIP]] = {}

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains that have cases, in alphabetical order."""
        return tuple(sorted(self._rows))

    def search(self, vector: Floats, domain: str, k: int) -> list[Neighbour]:
        """The ``k`` cases of ``domain`` nearest to a unit vector, float32 ``(D,)``; the nearest first.

        Of two equally near, the one that stands first in the index comes first.
        """
        rows, flat = self._searched(domain)
        if not rows or k < 1:
            return []
        query = np.ascontiguousarray(vector[None], dtype=np.float32)
        found, places = flat.search(query, min(k, len(rows)))
        pairs = sorted(zip(found[0].tolist(), places[0].tolist(), strict=True), key=lambda pair: (-pair[0], pair[1]))
        return [Neighbour(self.entries[rows[place]], max(-1.0, min(1.0, score))) for score, place in pairs]

    def _searched(self, domain: str) -> "tuple[list[int], faiss.IndexFlatIP]":
        """The rows of a domain in order, and the flat index over them; built when first asked for."""
        if domain not in self._flat:
            import faiss

            rows = self._rows.get(domain, [])
            flat = faiss.IndexFlatIP(self.vectors.shape[1])
            flat.add(np.ascontiguousarray(self.vectors[rows], dtype=np.float32))
            self._flat[domain] = rows, flat
        return self._flat[domain]
