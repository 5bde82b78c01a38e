"""Adds images to the user's own cases: read, stripped of identity, identified, embedded, and let go.

Of an image nothing is kept but a vector, its domain, and the label and note that the user gives.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import CaseError
from agent.nodes.identify import chosen_frame
from agent.parts import Parts, cases_folder
from overread.domains import domains
from overread.errors import OverreadError
from overread.settings import Settings

if TYPE_CHECKING:
    from tools.cases.index import CaseEntry

MOST_NOTE = 200


@dataclass(frozen=True)
class Added:
    """What became of the file of a place, counted from 1. ``case`` is ``None`` where ``reason`` says why."""

    number: int
    case: "CaseEntry | None" = None
    reason: str | None = None


class Casebook:
    """The user's own cases, and how an image comes to be one."""

    def __init__(self, chosen: Settings, parts: Parts | None = None) -> None:
        from tools.cases.own import OwnCases

        self._settings = chosen
        self._parts = parts or Parts(chosen)
        self.own = OwnCases(cases_folder(chosen))

    def add(self, paths: Sequence[Path], label: str, note: str = "", frame: int | None = None) -> Iterator[Added]:
        """Add each study under one label; one result a path, in order. A bad file stops no other.

        Of many frames, the one that ``frame`` names is taken, else ``Study.representative_frame``. Raises
        ``CaseError`` for a label or a note that is too long or holds what looks like identity.
        """
        self._check(label.strip(), note.strip())
        for number, path in enumerate(paths, start=1):
            try:
                yield Added(number, self._add(path, label.strip(), note.strip(), frame))
            except OverreadError as error:
                yield Added(number, reason=str(error))

    def _check(self, label: str, note: str) -> None:
        from guardrails.phi.text import redact

        if len(note) > MOST_NOTE:
            raise CaseError(f"the note is longer than {MOST_NOTE} characters; shorten it")
        for name, text in (("label", label), ("note", note)):
            if text and redact(text, None, self._parts.detector()).count:
                raise CaseError(f"the {name} holds what looks like a patient's name, date or number; leave it out")

    def _add(self, path: Path, label: str, note: str, frame: int | None) -> "CaseEntry":
        from agent.opening import open_study
        from guardrails.phi.text import redact

        opened = open_study(path, self._parts, self._settings)
        if redact(f"{label}\n{note}", opened.identity).count:
            raise CaseError("the label or the note holds a value from the image's header; leave it out")
        study, _ = opened.for_run(opened.identity)
        identifier = self._parts.identifier()
        (decision,) = identifier.identify([study.display(chosen_frame(study, frame))], [study.modality])
        if decision.label is None:
            raise CaseError(f"the image is of no kind that is known: {(decision.reason or '').rstrip('.')}")
        if decision.label not in domains():
            raise CaseError(
                "which part of the body the image shows is not certain, so it cannot be compared with others"
            )
        tower = identifier.card.weights.sha256
        return self.own.add(decision.embedding, label, decision.label, tower, note)
