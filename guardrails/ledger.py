"""What a text may cite in a run: the records behind each evidence id."""

import re
from collections.abc import Iterable

from overread.records import Artifact, Case, Finding, Measurement, Passage

_CITATION = re.compile(r"\[([A-Z]\d{1,4}(?:\s?[,;]\s?[A-Z]\d{1,4})*)\]")


def cited_ids(text: str) -> tuple[str, ...]:
    """The evidence ids a text names in square brackets, in order and once each: ``[F1, S2]``."""
    ids = (one.strip() for group in _CITATION.findall(text) for one in re.split(r"[,;]", group))
    return tuple(dict.fromkeys(ids))


def without_citations(text: str) -> str:
    """The text without its evidence ids."""
    return re.sub(r"\s+([.,;:!?])", r"\1", _CITATION.sub(" ", text)).strip()


class Ledger:
    """The evidence of one run, by id. Image evidence is everything but passages.

    ``has_prior`` says whether an earlier image was given to compare with.
    """

    def __init__(self, has_prior: bool = False) -> None:
        self.has_prior = has_prior
        self.findings: dict[str, Finding] = {}
        self.measurements: dict[str, Measurement] = {}
        self.passages: dict[str, Passage] = {}
        self.domains: dict[str, tuple[str, float]] = {}
        self.cases: dict[str, Case] = {}
        self.sides: dict[str, str] = {}
        self.titles: set[str] = set()
        self._opaque: set[str] = set()

    def add_finding(self, finding: Finding, title: str = "", side: str | None = None) -> None:
        """A tool's finding. ``title`` is the name of its model in sentences, which is no claim.

        ``side`` is the patient's side its region lies on ("left", "right", "bilateral"), where that is known.
        """
        self.findings[finding.id] = finding
        if side:
            self.sides[finding.id] = side
        if title:
            self.titles.add(title)

    def add_measurement(self, measurement: Measurement) -> None:
        """A tool's measurement."""
        self.measurements[measurement.id] = measurement

    def add_domain(self, id: str, words: str, probability: float) -> None:  # noqa: A002
        """The domain an image was accepted in: its words ("chest X-ray") and calibrated probability."""
        self.domains[id] = (words, probability)

    def add_case(self, case: Case) -> None:
        """A similar case."""
        self.cases[case.id] = case

    def add_artifact(self, artifact: Artifact) -> None:
        """A picture a tool made."""
        self._opaque.add(artifact.id)

    def add_image(self, id: str) -> None:  # noqa: A002
        """Image evidence of which only the id is known: it may be cited, and nothing can be checked against it."""
        self._opaque.add(id)

    def add_passage(self, passage: Passage) -> None:
        """A passage of a source."""
        self.passages[passage.id] = passage

    def knows(self, id: str) -> bool:  # noqa: A002
        """Whether an id may be cited."""
        return id in self.passages or self.is_image(id)

    def is_image(self, id: str) -> bool:  # noqa: A002
        """Whether an id is evidence of the image."""
        return any(id in some for some in (self.findings, self.measurements, self.domains, self.cases, self._opaque))

    def is_opaque(self, ids: Iterable[str]) -> bool:
        """Whether any of the ids is known by name only."""
        return any(one in self._opaque for one in ids)
