"""What a text may cite in a run: the records behind each evidence id."""

import re
from collections.abc import Iterable, Mapping

from overread.records import Artifact, Case, Change, Finding, Measurement, Passage

CITATION = re.compile(r"\[([A-Z]\d{1,4}(?:\s?[,;]\s?[A-Z]\d{1,4})*)\]")
"""A group of evidence ids in square brackets."""


_RUN = re.compile(rf"{CITATION.pattern}(?:\s*{CITATION.pattern})+")


def joined_citations(text: str) -> str:
    """The text with groups that stand side by side as one: ``[F1] [F2]`` means what ``[F1, F2]`` means."""
    return _RUN.sub(lambda match: f"[{', '.join(cited_ids(match[0]))}]", text)


def cited_ids(text: str) -> tuple[str, ...]:
    """The evidence ids a text names in square brackets, in order and once each: ``[F1, S2]``."""
    ids = (one.strip() for group in CITATION.findall(text) for one in re.split(r"[,;]", group))
    return tuple(dict.fromkeys(ids))


def without_citations(text: str) -> str:
    """The text without its evidence ids."""
    return re.sub(r"\s+([.,;:!?])", r"\1", CITATION.sub(" ", text)).strip()


class Ledger:
    """The evidence of one run, by id. Image evidence is everything but passages.

    ``changes`` are what was measured both in an earlier image and in this one; ``earlier`` are the ids of
    all evidence of an earlier image. ``studies`` is how an image was made, by the id of its domain; ``asked`` is
    the question, without identity.
    """

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.earlier: set[str] = set()
        self.findings: dict[str, Finding] = {}
        self.measurements: dict[str, Measurement] = {}
        self.passages: dict[str, Passage] = {}
        self.domains: dict[str, tuple[str, float]] = {}
        self.studies: dict[str, dict[str, str]] = {}
        self.asked = ""
        self.cases: dict[str, Case] = {}
        self.sides: dict[str, str] = {}
        self.notes: dict[str, str] = {}
        self.titles: set[str] = set()
        self.pictures: dict[str, str] = {}

    def add_finding(self, finding: Finding, title: str = "", side: str | None = None, note: str | None = None) -> None:
        """A tool's finding. ``title`` is the name of its model in sentences, which is no claim.

        ``side`` is the patient's side its region lies on ("left", "right", "bilateral"), where that is known.
        ``note`` is what else the tool says of it, such as why it may not decide.
        """
        self.findings[finding.id] = finding
        if note:
            self.notes[finding.id] = note
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

    def add_study(self, id: str, facts: Mapping[str, str]) -> None:  # noqa: A002
        """What the study record says of the image of a domain: "view": "AP"; "" for what is not known."""
        self.studies[id] = dict(facts)

    def add_case(self, case: Case) -> None:
        """A similar case."""
        self.cases[case.id] = case

    def add_change(self, change: Change) -> None:
        """A measured change. Without any, no sentence may compare with an earlier image."""
        self.changes.append(change)

    def add_earlier(self, id: str) -> None:  # noqa: A002
        """Say that the evidence of an id is of an earlier image."""
        self.earlier.add(id)

    def add_artifact(self, artifact: Artifact) -> None:
        """A picture a tool made."""
        self.pictures[artifact.id] = artifact.kind

    def add_passage(self, passage: Passage) -> None:
        """A passage of a source."""
        self.passages[passage.id] = passage

    def knows(self, id: str) -> bool:  # noqa: A002
        """Whether an id may be cited."""
        return id in self.passages or self.is_image(id)

    def is_image(self, id: str) -> bool:  # noqa: A002
        """Whether an id is evidence of the image."""
        return any(id in some for some in (self.findings, self.measurements, self.domains, self.cases, self.pictures))

    def words_of(self, ids: Iterable[str]) -> str:
        """Everything the records behind some ids say in words, which a sentence that cites them may repeat."""
        out: list[str] = []
        for one in ids:
            if one in self.earlier:
                out.append("earlier previous prior before then")
            if one in self.findings:
                out += [self.findings[one].label, self.notes.get(one, ""), self.sides.get(one, "")]
            elif one in self.measurements:
                made = self.measurements[one]
                out += [made.name, made.method, made.unit]
            elif one in self.domains:
                out.append(self.domains[one][0])
                out += [part for fact in self.studies.get(one, {}).items() for part in fact]
            elif one in self.cases:
                out.append(f"similar case {self.cases[one].label}")
            elif one in self.pictures:
                out.append(f"{self.pictures[one]} picture")
            elif one in self.passages:
                out.append(self.passages[one].text)
        return re.sub(r"[_/]+", " ", " ".join(out))
