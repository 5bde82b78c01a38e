"""The tool that finds similar cases: what looks alike to the image tower, and the labels those images carry.

Similarity is the cosine of two vectors of the domain identifier's image tower. Two images that look alike to
it need not show the same disease; the labels are evidence of the neighbours, never a diagnosis.
"""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from overread.cards import CardFile, ModelCard
from overread.domains import words_for
from overread.errors import CardError
from overread.records import Case
from tools.cases.file import StoredIndex, read_index
from tools.cases.index import CaseEntry, Neighbour
from tools.cases.own import OwnCases
from tools.contract import ToolImage, ToolOutput
from tools.errors import CaseIndexError, ToolError

if TYPE_CHECKING:
    from tools.domain import DomainIdentifier

ARCHITECTURE = "case-index"
_STALE = "your own cases were added with another image tower and were not searched; remove them and add them again"


class SimilarCases:
    """Finds the nearest cases of the same domain. Implements ``Tool``; safe to use from several threads.

    Two indexes are searched together: the one the card names, and the user's own, which is read again
    whenever it has changed.
    """

    def __init__(self, file: CardFile, identifier: "Callable[[], DomainIdentifier]", own: Path | None = None) -> None:
        """``identifier`` gives the domain identifier, whose image tower is used; ``own`` is the user's folder.

        Raises ``CardError`` when the card does not say with which tower its index was made.
        """
        self._file = file
        self._identifier = identifier
        self._own = OwnCases(own) if own is not None else None
        self._starter: StoredIndex | None = None
        self._lock = threading.Lock()
        try:
            self._tower, self._k = str(file.card.input["tower"]), int(file.card.input["k"])
        except (KeyError, TypeError, ValueError):
            raise CardError(f"card {file.card.name}: its input must name tower and k") from None

    @property
    def name(self) -> str:
        """The card's name."""
        return self._file.card.name

    @property
    def card(self) -> ModelCard:
        """The card, its domains those that have cases now, the user's own among them."""
        return self._file.card.model_copy(update={"domains": self._domains()})

    def run(self, images: Sequence[ToolImage]) -> list[ToolOutput]:
        """The nearest cases of each image, most alike first; local ids are the ids of the index.

        Raises ``ToolError`` for a domain without cases, ``CardError`` for an index that is missing,
        altered, or was made with another image tower.
        """
        named = self._domains()
        for image in images:
            if image.domain not in named:
                raise ToolError(f"{self.name} has no case of a {words_for(image.domain)}; its card does not name it")
        identifier = self._identifier()
        tower = identifier.card.weights.sha256
        if tower != self._tower:
            raise CardError(
                f"card {self.name}: the index was made with another image tower; run: python -m training.cases"
            )
        starter, own = self._starter_index(), self._own_index()
        reason = _STALE if own is not None and own.tower != tower else None
        searched = [starter] if own is None or reason else [starter, own]
        vectors = identifier.embed([image.display for image in images])
        outputs = []
        for image, vector in zip(images, vectors, strict=True):
            found = [near for one in searched for near in one.index.search(vector, image.domain, self._k)]
            found.sort(key=lambda near: -near.similarity)
            outputs.append(ToolOutput(cases=tuple(map(_case, found[: self._k])), reason=reason))
        return outputs

    def entries(self) -> tuple[CaseEntry, ...]:
        """Every case that is in the index now, the user's own last. Raises as ``run`` does."""
        own = self._own_index()
        return (*self._starter_index().index.entries, *(own.index.entries if own else ()))

    def _starter_index(self) -> StoredIndex:
        with self._lock:
            if self._starter is None:
                try:
                    self._starter = read_index(self._file.weights())
                except CaseIndexError as error:
                    raise CardError(f"card {self.name}: {error}") from None
                if self._starter.tower != self._tower:
                    raise CardError(f"card {self.name}: its index names another image tower than the card")
            return self._starter

    def _domains(self) -> tuple[str, ...]:
        try:
            own = self._own_index()
        except CaseIndexError:
            # Which tools may run is asked before any runs; ``run`` raises the same error, and it is reported.
            own = None
        return tuple(sorted({*self._file.card.domains, *(own.index.domains if own else ())}))

    def _own_index(self) -> StoredIndex | None:
        return self._own.stored() if self._own is not None else None


def _case(near: Neighbour) -> Case:
    return Case(id=near.entry.id, label=near.entry.label, similarity=round(float(np.float32(near.similarity)), 4))
