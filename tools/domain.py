"""The domain identifier: which kind of image is this, and is it one Overread knows at all?

A CLIP: an OpenCLIP image tower, and the packaged sentence encoder as text tower. Whether to accept is
decided by a calibrated probability made of three numbers: the odds the CLIP gives the label, how
near the image is to known images of that kind, and how near it is to pictures that are not medical.
"""

import json
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overread.cards import CardFile, ModelCard, find_cards
from overread.domains import domains, foreign, labels_of, words_for
from overread.errors import CardError
from overread.records import Alternative
from tools.errors import ToolError
from tools.networks import described_tower, square
from tools.passes import Pass, chosen_device
from tools.prompts import label_vectors, not_medical, prompts_by_label, unit_rows
from tools.weights import fill, read_weights

Floats = NDArray[np.float32]
HEADER = 2.5
"""Log-odds that a header's modality adds for the domains that carry it: a header is wrong in about one of twelve at
the most. Set by judgement, not fitted: no data at hand has wrong headers."""

NAME = "domain-clip"
"""The card of the domain identifier that is used when none is named."""

ARCHITECTURE = "open-clip-resnet"
"""The architecture its card must name."""

FLAT = 8
"""Grey levels within which an image counts as empty."""


@dataclass(frozen=True)
class DomainDecision:
    """What kind of image it is.

    ``label`` is ``modality/part``, or the modality alone where the part is not certain enough, or
    ``None`` when not accepted. ``probability`` is the calibrated probability that the label is right;
    for a refusal, that of the best label, which is the first of ``alternatives``. ``embedding`` is
    the image's unit vector, float32 ``(384,)``.
    """

    label: str | None
    probability: float
    accepted: bool
    alternatives: tuple[Alternative, ...]
    reason: str | None
    embedding: Floats


@dataclass(frozen=True)
class Odds:
    """A logistic map from the three numbers of a label to the probability that it is right."""

    odds: float
    nearest: float
    refused: float
    offset: float

    def probability(self, odds: float, nearest: float, refused: float, said: float = 0.0) -> float:
        """In [0, 1]. ``odds`` is a log-odds in [-12, 12]; the next two are cosines.

        ``said`` is the log-odds that is known beside the pixels.
        """
        x = self.odds * odds + self.nearest * nearest + self.refused * refused + self.offset + said
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, x))))


@dataclass(frozen=True)
class Evidence:
    """What the CLIP saw in a batch.

    ``chance`` is float64 ``(N, K)``, a softmax over all labels; ``nearest`` float32 ``(N, M)`` is the
    greatest cosine to a known image of each modality; ``refused`` float32 ``(N,)`` that to a picture
    that is not medical.
    """

    chance: NDArray[np.float64]
    nearest: Floats
    refused: Floats

    def of(self, row: int, columns: Sequence[int], modality: int) -> tuple[float, float, float]:
        """The three numbers of a set of labels (columns of ``chance``) of one modality."""
        share = float(self.chance[row, list(columns)].sum())
        odds = math.log(max(share, 1e-9) / max(1 - share, 1e-9))
        return max(-12.0, min(12.0, odds)), float(self.nearest[row, modality]), float(self.refused[row])


class References:
    """Vectors of known images: unit rows, float32 ``(R, 384)``, and the label of each."""

    def __init__(self, vectors: Floats, labels: Sequence[str]) -> None:
        self._vectors = unit_rows(vectors)
        modality = np.array([label.split("/")[0] for label in labels])
        self._rows = {str(name): np.flatnonzero(modality == name) for name in np.unique(modality)}

    def nearest(self, embeddings: Floats, names: Sequence[str]) -> Floats:
        """The greatest cosine to the images of each modality, or kind of picture; one with none gets -1."""
        cosines = embeddings @ self._vectors.T
        none = np.full(len(embeddings), -1, dtype=np.float32)
        columns = [cosines[:, self._rows[name]].max(axis=1) if name in self._rows else none for name in names]
        return np.stack(columns, axis=1)


class DomainIdentifier:
    """Names the kind of each image, or refuses it. Safe to use from several threads."""

    def __init__(self, file: CardFile) -> None:
        self.card: ModelCard = file.card
        self.forward: Pass = self._forward
        tensors, notes = read_weights(file)
        try:
            stored = {k.removeprefix("prompt."): v.numpy() for k, v in tensors.items() if k.startswith("prompt.")}
            names = json.loads(notes["reference_labels"])
            reference_labels = [names[int(row)] for row in tensors["reference_labels"]]
            references = References(tensors["references"].numpy(), reference_labels)
            self._read(self.card.input, self.card.calibration)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise CardError(f"card {self.card.name}: its input, calibration or weights lack {error}") from None
        tower = described_tower(self._size, self._dimensions, self._width, self._layers)
        self._device = chosen_device()
        self._tower = fill(tower, tensors, "tower.", self.card.name).to(self._device)
        prompts = prompts_by_label()
        self._labels = list(prompts)
        self._known = [label for label in self._labels if label in domains()]
        self._text = label_vectors(prompts, stored)
        self._modalities = list(dict.fromkeys(label.split("/")[0] for label in self._known))
        self._columns = {
            m: [k for k, label in enumerate(self._known) if label.split("/")[0] == m] for m in self._modalities
        }
        self._references = references
        self._lock = threading.Lock()

    def _read(self, given: Mapping[str, Any], calibration: Mapping[str, Any]) -> None:
        self._size, self._dimensions = int(given["size"]), int(given["dimensions"])
        self._width, self._layers = int(given["width"]), tuple(int(n) for n in given["layers"])
        self._scale = float(calibration["scale"])
        self._of_modality, self._of_label = Odds(**calibration["modality"]), Odds(**calibration["label"])
        self._accept_from, self._label_from = float(calibration["accept_from"]), float(calibration["label_from"])

    def embed(self, images: Sequence[NDArray[np.uint8]]) -> Floats:
        """Unit vectors of images, float32 ``(N, 384)``; images as in ``identify``."""
        for image in images:
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
                raise ToolError("an image must be uint8 with shape (height, width, 3); convert it first")
        out: list[Floats] = []
        for begin in range(0, len(images), 32):
            pixels = np.stack([square(image, self._size) for image in images[begin : begin + 32]])
            out += self.forward(pixels)
        return np.concatenate(out) if out else np.zeros((0, self._dimensions), dtype=np.float32)

    def _forward(self, pixels: NDArray[np.uint8]) -> tuple[Floats]:
        """The unit vectors of squares, uint8 ``(N, S, S, 3)``: float32 ``(N, 384)``."""
        import torch

        with self._lock, torch.inference_mode():
            x = torch.from_numpy(pixels).to(self._device).permute(0, 3, 1, 2).float() / 255
            return (torch.nn.functional.normalize(self._tower(x), dim=1).cpu().numpy(),)

    def evidence(self, embeddings: Floats) -> Evidence:
        """What the decisions are made of."""
        logits = self._scale * (embeddings @ self._text.T).astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        chance = np.exp(logits)
        near = self._references.nearest(embeddings, [*self._modalities, *not_medical()])
        split = len(self._modalities)
        return Evidence(chance / chance.sum(axis=1, keepdims=True), near[:, :split], near[:, split:].max(axis=1))

    def identify(
        self, images: Sequence[NDArray[np.uint8]], modalities: Sequence[str | None] | None = None
    ) -> list[DomainDecision]:
        """One decision an image, in order. Each image is uint8 ``(H, W, 3)`` RGB of any size.

        ``modalities`` are DICOM codes from the headers, where there are any. A code narrows the choice to
        the domains that carry it; whether the pixels look like one of them is still asked. An image of a
        modality that is none of the domains is refused.
        Raises ``ToolError`` for an array of another shape or type.
        """
        embeddings = self.embed(images)
        seen = self.evidence(embeddings)
        decisions = []
        for row, (image, code) in enumerate(zip(images, modalities or [None] * len(images), strict=True)):
            other = foreign(code)
            if flat(image):
                decisions.append(_refused(embeddings[row], _EMPTY))
            elif other:
                decisions.append(_refused(embeddings[row], f"its header says that it is {other}, which I do not know"))
            else:
                decisions.append(self._decide(row, self._narrowed(seen, row, code), embeddings[row], code))
        return decisions

    def _narrowed(self, seen: Evidence, row: int, code: str | None) -> Evidence:
        """The evidence with the chance of the labels that a header rules out shared among the others."""
        allowed = labels_of(code)
        if not allowed:
            return seen
        keep = [label in allowed or label not in self._known for label in self._labels]
        chance = seen.chance.copy()
        chance[row] = np.where(keep, chance[row] + 1e-12, 0.0)
        chance[row] /= chance[row].sum()
        return Evidence(chance, seen.nearest, seen.refused)

    def _decide(self, row: int, seen: Evidence, embedding: Floats, code: str | None) -> DomainDecision:
        said = HEADER if labels_of(code) else 0.0
        of_modality = {
            m: self._of_modality.probability(*seen.of(row, self._columns[m], place), said)
            for place, m in enumerate(self._modalities)
        }
        of_label = {
            label: self._of_label.probability(*seen.of(row, [k], self._modalities.index(label.split("/")[0])), said)
            for k, label in enumerate(self._known)
        }
        modality = max(of_modality, key=lambda m: of_modality[m])
        best = max((self._known[k] for k in self._columns[modality]), key=lambda name: of_label[name])
        sure = of_modality[modality] if best == modality else min(of_label[best], of_modality[modality])
        label, probability = best, sure
        if sure < self._label_from:
            label, probability = modality, of_modality[modality]
        accepted = of_modality[modality] >= self._accept_from
        if not accepted:
            probability = sure
        others = sorted((name for name in of_label if name != best), key=lambda name: -of_label[name])[:3]
        rest = [Alternative(label=name, probability=min(of_label[name], 1 - sure)) for name in others]
        first = [] if label == best and accepted else [Alternative(label=best, probability=sure)]
        reason = None if accepted else self._reason(row, seen, best, others[0])
        if reason and labels_of(code):
            reason += f" (its header says {code})"
        shown = label if accepted else None
        return DomainDecision(shown, probability, accepted, tuple([*first, *rest][:3]), reason, embedding)

    def _reason(self, row: int, seen: Evidence, best: str, second: str) -> str:
        top = self._labels[int(seen.chance[row].argmax())]
        kind = not_medical().get(top)
        if kind:
            return f"it looks like {kind.words}, not like a medical image of a kind Overread knows"
        if seen.refused[row] > seen.nearest[row].max():
            return "it is nearer to pictures that are not medical than to any kind of medical image Overread knows"
        return (
            f"it is not certain enough what it shows: most likely {words_for(best)}, then {words_for(second)}; "
            "it may also be of a kind Overread does not know"
        )


def flat(image: NDArray[np.uint8]) -> bool:
    """Whether an image is empty: 99 of 100 of its values lie within ``FLAT`` of 256 grey levels."""
    low, high = np.quantile(square(image, 64), [0.005, 0.995])
    return bool(high - low <= FLAT)


_EMPTY = "the picture is empty: it has one tone all over; export it again with another window, or send another"


def _refused(embedding: Floats, reason: str) -> DomainDecision:
    return DomainDecision(None, 0.0, False, (), reason, embedding)


def domain_identifier(cards: Mapping[str, CardFile] | None = None) -> DomainIdentifier:
    """The identifier named ``domain-clip`` in ``cards`` (default: all cards found), loaded once.

    Raises ``CardError`` when there is no such card, or its weights are missing or altered.
    """
    found = find_cards() if cards is None else cards
    if NAME not in found:
        raise CardError(f"there is no card named {NAME}; reinstall the package or put one in OVERREAD_MODELS")
    file = found[NAME]
    if file.card.task != "domain" or file.card.architecture != ARCHITECTURE:
        raise CardError(f"card {NAME}: it must be of the task domain and the architecture {ARCHITECTURE}")
    key = (file.folder, file.card.weights.sha256)
    with _LOADING:
        if key not in _LOADED:
            _LOADED.clear()
            _LOADED[key] = DomainIdentifier(file)
        return _LOADED[key]


_LOADED: dict[tuple[Path, str], DomainIdentifier] = {}
_LOADING = threading.Lock()
