"""Zero-shot labels: how near a picture is to descriptions of a label, and to descriptions of its absence.

The descriptions are shown with their similarities, so that a reader sees what the score is made of. Without a
calibration in the card there is no probability, and nothing is decided.
"""

import threading
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from overread.cards import CardFile, ModelCard
from overread.records import Finding
from tools.admission import check_domains, undecided
from tools.calibration import decide, read_label_maps
from tools.classifiers.clip import Clip
from tools.concepts import Concept, concepts_for
from tools.contract import ToolImage, ToolOutput
from tools.passes import Pass

Floats = NDArray[np.float32]
SHOWN = 2
"""How many descriptions of a label are shown: the nearest ones."""

UNCALIBRATED = "its similarities to descriptions are not calibrated, so they decide nothing"


class ZeroShot:
    """An OpenCLIP model asked for the labels of its card. Implements ``Tool``; loaded when it first runs."""

    def __init__(self, file: CardFile) -> None:
        self._file = file
        self._clip: Clip | None = None
        self._texts: dict[str, Floats] = {}
        self._lock = threading.Lock()
        self.forward: Pass = self._forward
        card = file.card
        self._calibrations = read_label_maps(card)

    @property
    def name(self) -> str:
        """The card's name."""
        return self._file.card.name

    @property
    def card(self) -> ModelCard:
        """The card."""
        return self._file.card

    def run(self, images: Sequence[ToolImage]) -> list[ToolOutput]:
        """One output an image, in order: a finding a label, and the descriptions nearest to it.

        Raises ``ToolError`` for a domain the card does not name, ``CardError`` for files that are missing,
        altered or of another shape.
        """
        check_domains(self.card, images)
        misfits = [self.card.population.misfit(image.context) for image in images]
        fitting = [image for image, misfit in zip(images, misfits, strict=True) if misfit is None]
        vectors: Iterator[Floats] = iter(self._vectors([image.display for image in fitting]) if fitting else [])
        return [
            self._output(image, next(vectors)) if misfit is None else undecided(self.card, misfit)
            for image, misfit in zip(images, misfits, strict=True)
        ]

    def similarities(self, images: Sequence[NDArray[np.uint8]], texts: Sequence[str]) -> Floats:
        """Cosines of pictures, each uint8 ``(H, W, 3)`` RGB, to any texts: float32 ``(N, T)`` in [-1, 1]."""
        if not images or not texts:
            return np.zeros((len(images), len(texts)), dtype=np.float32)
        return self._vectors(images) @ self._of_texts(texts).T

    def _vectors(self, images: Sequence[NDArray[np.uint8]]) -> Floats:
        (vectors,) = self.forward(self._loaded().prepared(images))
        return vectors

    def _forward(self, pixels: Floats) -> tuple[Floats]:
        """The unit vectors of prepared pixels, float32 ``(N, 3, S, S)``."""
        return (self._loaded().vectors(pixels),)

    def _output(self, image: ToolImage, vector: Floats) -> ToolOutput:
        findings: list[Finding] = []
        seen: list[str] = []
        for concept in concepts_for(self.card, image.domain):
            similarities = self._of_texts(concept.descriptors) @ vector
            findings.append(self._finding(len(findings) + 1, concept, similarities))
            seen.append(explained(concept, similarities))
        calibrated = all(finding.probability is not None for finding in findings)
        return ToolOutput(
            findings=tuple(findings),
            reason=None if calibrated else UNCALIBRATED,
            explanation="; ".join(seen) or None,
        )

    def _finding(self, number: int, concept: Concept, similarities: Floats) -> Finding:
        label = next(label for label in self.card.labels if label.name == concept.label)
        calibration = self._calibrations[label.name]
        score = concept.score(similarities, self._loaded().scale)
        probability = calibration.probability(score) if calibration else None
        return Finding(
            id=f"F{number}",
            label=label.name,
            probability=probability,
            interval=calibration.interval(score) if calibration else None,
            decision=decide(label, probability),
        )

    def _of_texts(self, texts: Sequence[str]) -> Floats:
        """Unit vectors of texts, each encoded once; at most some thousands are kept."""
        clip = self._loaded()
        missing = [text for text in dict.fromkeys(texts) if text not in self._texts]
        new = dict(zip(missing, clip.texts(missing), strict=True)) if missing else {}
        rows = np.stack([new[text] if text in new else self._texts[text] for text in texts])
        if len(self._texts) + len(new) <= 4096:
            self._texts |= new
        return rows

    def _loaded(self) -> Clip:
        with self._lock:
            if self._clip is None:
                self._clip = Clip(self._file)
            return self._clip


def explained(concept: Concept, similarities: Floats) -> str:
    """The descriptions of a label that a picture is nearest to, with their cosines: what it saw."""
    nearest = []
    for row in np.argsort(-similarities)[:SHOWN]:
        side = "for" if row < len(concept.present) else "against"
        nearest.append(f'"{concept.descriptors[row]}" ({similarities[row]:.3f}, {side} it)')
    return f"{concept.label}: nearest to {' and '.join(nearest)}"
