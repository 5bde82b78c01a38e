"""What the parts of a report share: the rows, the images, the models of the cards, and what they said already."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from evaluation.errors import ManifestError
from evaluation.trust.manifest import Manifest, Row, drawn
from overread.cards import CardFile, ModelCard
from overread.domains import covered
from overread.errors import OverreadError
from overread.settings import Settings
from tools.contract import Tool, ToolImage, ToolOutput
from tools.domain import DomainDecision, DomainIdentifier, domain_identifier
from tools.registry import ToolRegistry
from tools.segmentation.networks import ARCHITECTURES as PROMPTED
from tools.segmentation.predictor import Segmenter

Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]
LEAST = 8
"""Rows that a model did not learn from, under which the others are measured on too, and the report says so."""

AT_ONCE = 32
KEPT_IMAGES = 256
SMALL_SIDE = 256
"""The longest side of ``small`` pictures: classifiers and the domain identifier see squares of 112 to 144 pixels."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured: images of a model or a domain, and corrupted copies of them."""

    images: int = 400
    corrupted: int = 40
    """Images of a domain, and of a classifier, that are spoilt; of a segmenter, a quarter as many of a domain."""

    severities: tuple[int, ...] = (1, 2, 3)
    corruptions: tuple[str, ...] | None = None
    attacked: int = 24
    explained: int = 16
    asked: int = 24
    burned_in: int = 24
    labels: int | None = None
    """Labels of a card whose explanations are looked at; ``None`` for all."""

    @classmethod
    def quick(cls) -> "Sizes":
        """Enough to see that every part runs; too few for figures."""
        return cls(24, 4, (3,), ("brightness", "gaussian noise", "jpeg"), 4, 4, 2, 2, 1)


@dataclass(frozen=True)
class Chosen:
    """The rows a model is measured on, and whether it learned from some of them."""

    rows: tuple[Row, ...]
    taught: int

    @property
    def note(self) -> str:
        """What must be said beside a figure on these rows."""
        return "" if not self.taught else f"{self.taught} of these images taught the model: too good"


class Subject:
    """One classifier with its card. What it said of an image of the manifest is kept, but no picture."""

    def __init__(self, tool: Tool, bench: "Bench") -> None:
        self.tool, self._bench = tool, bench
        self._said: dict[int, Floats] = {}

    @property
    def card(self) -> ModelCard:
        """The card."""
        return self.tool.card

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels it has."""
        return tuple(label.name for label in self.card.labels)

    @cached_property
    def fitting(self) -> tuple[Row, ...]:
        """All rows it may speak of: of its domains and its population."""
        return tuple(
            row
            for row in self._bench.manifest.rows
            if row.domain is not None
            and covered(self.card.domains, row.domain)
            and self.card.population.misfit(row.context) is None
        )

    def rows(self, most: int, wanted: Callable[[Row], bool] = lambda _: True, label: str | None = None) -> Chosen:
        """At most ``most`` rows it may speak of, those that did not teach it where there are enough (of a label)."""
        return chosen_of(list(filter(wanted, self.fitting)), self.card.name, most, self._bench.seed, label)

    def chances(self, rows: Sequence[Row], step: Callable[[], None] = lambda: None) -> Floats:
        """Calibrated probabilities, float64 ``(N, labels)``; NaN where the model gives none."""
        fresh = [row for row in rows if row.number not in self._said]
        for begin in range(0, len(fresh), AT_ONCE):
            some = fresh[begin : begin + AT_ONCE]
            for row, one in zip(some, self.of([self._bench.image(row) for row in some]), strict=True):
                self._said[row.number] = one
            step()
        return np.stack([self._said[row.number] for row in rows]) if rows else np.zeros((0, len(self.labels)))

    def of(self, images: Sequence[ToolImage]) -> Floats:
        """Probabilities of any images, float64 ``(N, labels)``; nothing is kept."""
        outputs = [one for k in range(0, len(images), AT_ONCE) for one in self.tool.run(images[k : k + AT_ONCE])]
        return np.stack([self._chances(output) for output in outputs]) if outputs else np.zeros((0, len(self.labels)))

    def _chances(self, output: ToolOutput) -> Floats:
        by_label = {finding.label: finding.probability for finding in output.findings}
        said = [by_label.get(label) for label in self.labels]
        return np.array([np.nan if one is None else one for one in said], dtype=np.float64)


@dataclass
class Bench:
    """One run's rows and models. ``seed`` draws rows and noise."""

    manifest: Manifest
    cards: Mapping[str, CardFile]
    settings: Settings
    sizes: Sizes
    seed: int = 0
    quick: bool = False
    step: Callable[[str], None] = lambda _: None
    _images: dict[int, ToolImage] = field(default_factory=dict)
    _decisions: dict[int, DomainDecision] = field(default_factory=dict)

    @cached_property
    def subjects(self) -> tuple[Subject, ...]:
        """Every classifier that has a card, with a domain that the manifest has rows of."""
        here = {row.domain for row in self.manifest.rows if row.domain is not None}
        return tuple(
            Subject(tool, self)
            for tool in ToolRegistry(self.cards).all()
            if tool.card.task == "classification" and any(covered(tool.card.domains, label) for label in here)
        )

    @cached_property
    def outliners(self) -> tuple[Tool, ...]:
        """Every model that outlines without a prompt."""
        return tuple(tool for tool in ToolRegistry(self.cards).all() if tool.card.task == "segmentation")

    @cached_property
    def segmenters(self) -> tuple[Segmenter, ...]:
        """Every promptable network that has a card."""
        return tuple(Segmenter(file) for file in self.cards.values() if file.card.architecture in PROMPTED)

    @cached_property
    def identifier(self) -> DomainIdentifier:
        """The domain identifier."""
        return domain_identifier(self.cards)

    def image(self, row: Row) -> ToolImage:
        """The image of a row as a tool sees it. The last ones are kept.

        Raises ``ManifestError`` with the row's line for an image that cannot be read.
        """
        if row.number not in self._images:
            while len(self._images) >= KEPT_IMAGES:
                del self._images[next(iter(self._images))]
            self._images[row.number] = self._read(row)
        return self._images[row.number]

    def _read(self, row: Row) -> ToolImage:
        from agent.opening import look_into

        try:
            study = look_into(row.path, self.settings)
            frame = study.representative_frame()
            display, values = study.display(frame), study.values(frame)
        except OverreadError as error:
            raise ManifestError(f"line {row.number}: the image cannot be read ({error.code})") from None
        return ToolImage(display, row.domain or "", study.context.merged(row.context), values, study.spacing_mm)

    def decisions(self, rows: Sequence[Row]) -> list[DomainDecision]:
        """What the domain identifier says of rows, from the pixels alone."""
        fresh = [row for row in rows if row.number not in self._decisions]
        for begin in range(0, len(fresh), AT_ONCE):
            some = fresh[begin : begin + AT_ONCE]
            found = self.identifier.identify([self.image(row).display for row in some])
            self._decisions |= {row.number: one for row, one in zip(some, found, strict=True)}
            self.step("domain")
        return [self._decisions[row.number] for row in rows]

    def per_domain(self, most: int, name: str) -> dict[str, Chosen]:
        """At most ``most`` rows of each domain, by the card that is measured on them."""
        here = dict.fromkeys(row.domain for row in self.manifest.rows if row.domain is not None)
        return {label: chosen_of(self.manifest.of_domain(label), name, most, self.seed) for label in here}

    def generator(self, *key: object) -> np.random.Generator:
        """A generator of its own for a purpose, the same for the same seed."""
        import hashlib

        digest = hashlib.sha256(":".join(map(str, (self.seed, *key))).encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def chosen_of(rows: Sequence[Row], name: str, most: int, seed: int, label: str | None = None) -> Chosen:
    """At most ``most`` of ``rows``: those the model did not learn from alone, where there are ``LEAST`` or more.

    With a ``label``, ``LEAST`` with it and ``LEAST`` without it; where the others do not have them, those that taught
    are taken by themselves: ill and well of different sources would tell sources apart, not health.
    """
    least = min(LEAST, most)

    def enough(some: Sequence[Row]) -> bool:
        if label is None:
            return len(some) >= least
        ill = sum(row.holds(label) is True for row in some)
        return min(ill, len(some) - ill) >= least // 2

    fresh = [row for row in rows if name not in row.taught]
    taught = [row for row in rows if name in row.taught]
    usable = fresh if enough(fresh) else taught if label is not None and enough(taught) else list(rows)
    found = drawn(usable, most, seed)
    return Chosen(tuple(found), sum(name in row.taught for row in found))


def small(display: Pixels) -> Pixels:
    """The picture with its longer side at most ``SMALL_SIDE``."""
    from PIL import Image

    if max(display.shape[:2]) <= SMALL_SIDE:
        return display
    picture = Image.fromarray(display)
    picture.thumbnail((SMALL_SIDE, SMALL_SIDE))
    return np.asarray(picture)


def changed(image: ToolImage, display: Pixels) -> ToolImage:
    """The same image with other pixels on display."""
    return ToolImage(display, image.domain, image.context, image.values, image.spacing_mm)
