"""A classifier of any architecture as a tool: the card's population, calibration and decisions round a network."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from overread.cards import CardFile, Label, ModelCard
from overread.errors import CardError
from overread.records import Box, Finding, Region, label_words
from tools.admission import check_domains, undecided
from tools.calibration import Chance, decide, read_calibration
from tools.classifiers.preparation import Preparation, read_preparation
from tools.contract import Picture, ToolImage, ToolOutput
from tools.errors import ToolError
from tools.findings import hot_box
from tools.passes import Pass

Floats = NDArray[np.float32]
BATCH = 16
FEW = 4
"""A card with at most this many labels gets a heatmap for each; one with more only for those that are present."""


@dataclass(frozen=True)
class Seen:
    """What a network says of a batch: its outputs, float32 ``(N, outputs)``, and where it looked.

    ``heat`` is float32 ``(N, outputs, h, w)``, 0 and above, or ``None`` where the network has no map.
    """

    outputs: Floats
    heat: Floats | None = None


class Network(Protocol):
    """Weights in memory. Called with float32 ``(N, C, S, S)`` as the card's preparation gives it."""

    def __call__(self, pixels: Floats) -> Seen:
        """The outputs of a batch. Safe to call from several threads."""


Load = Callable[[CardFile, Preparation, int], Network]
"""Reads a card's weights: with the card, its preparation and the number of outputs. Raises ``CardError``."""


class Classifier:
    """A classifier as its card describes it. Implements ``Tool``; the network is loaded when it first runs."""

    def __init__(self, file: CardFile, load: Load) -> None:
        card = file.card
        self._file, self._load, self._lock = file, load, threading.Lock()
        self._network: Network | None = None
        self.forward: Pass = self._forward
        self.preparation = read_preparation(card.name, card.input)
        self._kind = read_kind(card)
        self._outputs, self._columns = read_columns(card)
        self._calibration = read_calibration(card)

    @property
    def name(self) -> str:
        """The card's name."""
        return self._file.card.name

    @property
    def card(self) -> ModelCard:
        """The card."""
        return self._file.card

    def run(self, images: Sequence[ToolImage]) -> list[ToolOutput]:
        """One output an image, in order.

        An image of a patient outside the card's population gets ``indeterminate`` findings with no
        probability, and the reason. Raises ``ToolError`` for a domain the card does not name, ``CardError``
        for weights that are missing, altered or of another shape.
        """
        check_domains(self.card, images)
        misfits = [self.card.population.misfit(image.context) for image in images]
        fitting = [image.display for image, misfit in zip(images, misfits, strict=True) if misfit is None]
        outputs = iter([one for begin in range(0, len(fitting), BATCH) for one in self._batch(fitting[begin:][:BATCH])])
        return [next(outputs) if misfit is None else undecided(self.card, misfit) for misfit in misfits]

    def _batch(self, images: Sequence[NDArray[np.uint8]]) -> list[ToolOutput]:
        outputs, *heats = self.forward(self.preparation(images))
        seen = Seen(outputs, heats[0] if heats else None)
        if seen.outputs.shape != (len(images), self._outputs):
            raise CardError(
                f"card {self.name}: the network gives {seen.outputs.shape[1:]} outputs, not {self._outputs}"
            )
        if not np.isfinite(seen.outputs).all():
            raise ToolError(f"{self.name} gave a number that is not finite for an image")
        scores = log_odds(seen.outputs, self._kind)[:, self._columns]
        heat = [None] * len(images) if seen.heat is None else list(seen.heat[:, self._columns])
        return [
            self._output(image.shape[:2], row, cells) for image, row, cells in zip(images, scores, heat, strict=True)
        ]

    def _forward(self, pixels: Floats) -> tuple[Floats, ...]:
        """Outputs, and maps where the network has them, of prepared pixels, float32 ``(N, C, S, S)``."""
        seen = self._loaded()(pixels)
        return (seen.outputs,) if seen.heat is None else (seen.outputs, seen.heat)

    def _loaded(self) -> Network:
        with self._lock:
            if self._network is None:
                self._network = self._load(self._file, self.preparation, self._outputs)
            return self._network

    def _output(self, shape: tuple[int, ...], scores: Floats, heat: Floats | None) -> ToolOutput:
        findings, pictures = [], []
        chances = self._calibration.chances([float(score) for score in scores])
        for number, (label, chance) in enumerate(zip(self.card.labels, chances, strict=True)):
            finding = _finding(number, label, chance)
            if heat is not None and (len(self.card.labels) <= FEW or finding.decision == "present"):
                picture = Picture(
                    f"A{number + 1}", "heatmap", self._spread(heat[number], shape), label_words(label.name)
                )
                pictures.append(picture)
                if finding.decision == "present" and heat[number].any():
                    region = Region(box=self._box(heat[number], shape), artifact=picture.id)
                    finding = finding.model_copy(update={"region": region})
            findings.append(finding)
        return ToolOutput(findings=tuple(findings), pictures=tuple(pictures))

    def _spread(self, cells: Floats, shape: tuple[int, ...]) -> Floats:
        """A map at the image's own size: float32 ``(H, W)`` in [0, 1], its peak 1; 0 outside what the network saw."""
        from PIL import Image

        x0, y0, x1, y1 = self.preparation.window(shape)
        small = Image.fromarray((cells / max(float(cells.max()), 1e-9)).astype(np.float32))
        out = np.zeros(shape, dtype=np.float32)
        out[y0:y1, x0:x1] = np.asarray(small.resize((x1 - x0, y1 - y0), Image.Resampling.BILINEAR)).clip(0, 1)
        return out

    def _box(self, cells: Floats, shape: tuple[int, ...]) -> Box:
        x0, y0, x1, y1 = self.preparation.window(shape)
        left, top, right, bottom = hot_box(cells, (y1 - y0, x1 - x0))
        return x0 + left, y0 + top, x0 + right, y0 + bottom


Kind = Literal["logits", "softmax", "probabilities"]


def read_kind(card: ModelCard) -> Kind:
    """What the network's outputs are: ``logits`` one by one, logits of a ``softmax``, or ``probabilities``."""
    kind = card.input.get("gives", "logits")
    if kind not in ("logits", "softmax", "probabilities"):
        raise CardError(f"card {card.name}: gives of its input must be logits, softmax or probabilities")
    found: Kind = kind
    return found


def read_columns(card: ModelCard) -> tuple[int, list[int]]:
    """How many outputs the network has, and which of them are the card's labels, in their order."""
    given: dict[str, Any] = card.input
    try:
        outputs = int(given.get("outputs", len(card.labels)))
        columns = [int(column) for column in given.get("columns", range(len(card.labels)))]
    except (TypeError, ValueError) as error:
        raise CardError(f"card {card.name}: outputs or columns of its input cannot be understood") from error
    fine = len(columns) == len(card.labels) == len(set(columns)) and all(0 <= column < outputs for column in columns)
    if not fine or not 1 <= outputs <= 1000:
        raise CardError(f"card {card.name}: outputs and columns of its input must name one output for each label")
    return outputs, columns


def _finding(number: int, label: Label, chance: Chance) -> Finding:
    probability, interval = chance
    return Finding(
        id=f"F{number + 1}",
        label=label.name,
        probability=probability,
        interval=interval,
        decision=decide(label, probability),
    )


def log_odds(outputs: Floats, kind: Kind) -> Floats:
    """Outputs as log-odds, one for each, float32 of the same shape; what a calibration is fitted on."""
    if kind == "logits":
        return outputs
    values = outputs.astype(np.float64)
    if kind == "softmax":
        values = np.exp(values - values.max(axis=1, keepdims=True))
        values /= values.sum(axis=1, keepdims=True)
    chance = values.clip(1e-7, 1 - 1e-7)
    out: Floats = np.log(chance / (1 - chance)).astype(np.float32)
    return out
