"""Outlines objects in one image: read, identity out, domain accepted, then the promptable model."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agent.nodes.identify import chosen_frame
from agent.parts import Parts
from agent.refusals import refuse
from agent.state import Refused
from overread.cards import ModelCard, find_cards
from overread.domains import covered, with_article, words_for
from overread.records import Alternative, Box, Measurement, ModelRef

if TYPE_CHECKING:
    from tools.domain import DomainDecision
    from tools.imaging.study import Study
    from tools.segmentation.predictor import ImagePredictor, Segmenter
    from tools.segmentation.prompts import Prompt


@dataclass(frozen=True)
class ObjectFound:
    """One object of an automatic run. ``box`` is half-open in stored pixels; ``quality`` is the overlap foretold."""

    box: Box
    area_px: int
    quality: float


@dataclass(frozen=True)
class OtherOutline:
    """What else the prompt could mean: ``mask`` bool ``(H, W)``, overlap foretold, Dice to the first mask."""

    mask: NDArray[np.bool_]
    box: Box
    quality: float
    dice: float


@dataclass(frozen=True)
class Segmentation:
    """What came of it.

    ``mask`` bool ``(H, W)`` in the stored size and ``uncertainty`` float32 ``(H, W)`` in [0, 1] are ``None``
    after a refusal; the latter, ``score`` and ``distrust`` are also ``None`` for automatic masks.
    ``score`` is 1 minus the expected Dice. ``alternatives`` are domains, ``others`` outlines that differ
    materially from the first and are nearly as likely. ``timings`` are seconds.
    """

    study_id: str
    modality: str | None
    frame: int
    size: tuple[int, int]
    spacing_mm: tuple[float, float] | None
    domain: str | None
    probability: float
    alternatives: tuple[Alternative, ...]
    refused: Refused | None = None
    model: ModelRef | None = None
    mask: NDArray[np.bool_] | None = None
    uncertainty: NDArray[np.float32] | None = None
    score: float | None = None
    distrust: bool | None = None
    quality: float | None = None
    measurements: tuple[Measurement, ...] = ()
    objects: tuple[ObjectFound, ...] = ()
    others: tuple[OtherOutline, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)


class Clock:
    """Seconds between one call and the next, by name."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self.timings: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """Note the time since the lap before under a name."""
        now = time.monotonic()
        self.timings[name] = round(now - self._last, 4)
        self._last = now


def segment_image(
    path: Path, prompt: "Prompt | None", frame: int | None = None, model: str | None = None, parts: Parts | None = None
) -> Segmentation:
    """Outline what ``prompt`` points at in the image at ``path``, or without a prompt every object.

    ``frame`` counts from 0; without one the middle frame is taken. ``model`` is a card's name. Raises an
    ``OverreadError`` for a file that cannot be read, a prompt outside the image, or weights that are not
    as their card says; an image of no domain the model is for is a refusal, not an error.
    """
    from agent.opening import look_into
    from overread.settings import settings

    clock = Clock()
    chosen = parts.settings if parts else settings()
    study = look_into(path, chosen)
    clock.lap("read")
    return Outliner(study, parts or Parts(chosen), model).outline(prompt, frame, clock)


class Outliner:
    """Outlines objects in one study that was read. Safe to use from several threads.

    Each frame is identified once; the last frame asked about is kept as the network sees it, so that the next
    prompt finds its embedding.
    """

    def __init__(self, study: "Study", parts: Parts, model: str | None = None) -> None:
        """``model`` is a card's name; without one the best promptable network is taken."""
        self._study = study
        self._parts = parts
        self._model = model
        self._lock = threading.Lock()
        self._segmenter: Segmenter | None = None
        self._decisions: dict[int, DomainDecision] = {}
        self._last: tuple[str, ImagePredictor] | None = None

    def prepare(self, frame: int | None = None) -> None:
        """Do now what a first prompt on a frame would wait for. Raises as ``outline`` does."""
        number = chosen_frame(self._study, frame)
        segmenter = self._network()
        if _refusal(self._decided(number), self._study, segmenter.card) is None:
            self._predictor(segmenter, number).prepare()

    def outline(self, prompt: "Prompt | None", frame: int | None = None, clock: Clock | None = None) -> Segmentation:
        """Outline what ``prompt`` points at in a frame, or without a prompt every object. As ``segment_image``."""
        clock = clock or Clock()
        study, number = self._study, chosen_frame(self._study, frame)
        if prompt is not None:
            prompt.checked(study.size)
        segmenter = self._network()
        decision = self._decided(number)
        clock.lap("domain")
        seen = Segmentation(
            study_id=study.study_id,
            modality=study.modality,
            frame=number,
            size=study.size,
            spacing_mm=study.spacing_mm,
            domain=decision.label if decision.accepted else None,
            probability=decision.probability,
            alternatives=tuple(decision.alternatives),
            timings=clock.timings,
        )
        refused = _refusal(decision, study, segmenter.card)
        if refused is not None:
            return replace(seen, refused=refused)
        predictor = self._predictor(segmenter, number)
        predictor.prepare(prompt)
        clock.lap("embed")
        seen = replace(seen, model=segmenter.card.ref)
        found = _everything(predictor, seen) if prompt is None else _one(predictor, prompt, seen, segmenter)
        clock.lap("prompt")
        return replace(found, measurements=_measured(found.mask, study, number))

    def _network(self) -> "Segmenter":
        """The process's own promptable network, or another where one was named."""
        from tools.segmentation.checkpoints import promptable
        from tools.segmentation.predictor import Segmenter

        with self._lock:
            if self._segmenter is None:
                shared = self._parts.segmenter()
                if shared is None or (self._model is not None and shared.card.name != self._model):
                    shared = Segmenter(promptable(find_cards(self._parts.settings), self._model))
                self._segmenter = shared
            return self._segmenter

    def _decided(self, number: int) -> "DomainDecision":
        with self._lock:
            if number not in self._decisions:
                display = self._study.display(number)
                self._decisions[number] = self._parts.identifier().identify([display])[0]
            return self._decisions[number]

    def _predictor(self, segmenter: "Segmenter", number: int) -> "ImagePredictor":
        # What was masked since is another picture.
        key = f"{self._study.content_hash}:{number}:{self._study.masked}"
        with self._lock:
            if self._last is None or self._last[0] != key:
                self._last = key, segmenter.set_image(self._study.display(number), key)
            return self._last[1]


def _refusal(decision: "DomainDecision", study: "Study", card: ModelCard) -> Refused | None:
    why = None
    if not decision.accepted or decision.label is None:
        why = (decision.reason or "it is of no kind I know").strip().rstrip(".")
    elif card.domains and not covered(card.domains, decision.label):
        why = f"the model {card.name} is not for {with_article(words_for(decision.label))}"
    return None if why is None else refuse("out_of_domain", study_id=study.study_id, why=why)


def _one(predictor: "ImagePredictor", prompt: "Prompt", seen: Segmentation, segmenter: "Segmenter") -> Segmentation:
    from tools.segmentation.alternatives import other_masks
    from tools.segmentation.predictor import box_round
    from tools.segmentation.uncertainty import perturbation_of, with_uncertainty

    found = with_uncertainty(predictor, prompt, perturbation_of(segmenter))
    others = tuple(
        OtherOutline(one.mask, box_round(one.mask), round(one.quality, 4), round(one.dice, 4))
        for one in other_masks(predictor, prompt, found.mask)
    )
    return replace(
        seen,
        mask=found.mask,
        uncertainty=found.map,
        score=round(found.score, 4),
        distrust=found.distrust,
        quality=round(found.quality, 4),
        others=others,
    )


def _everything(predictor: "ImagePredictor", seen: Segmentation) -> Segmentation:
    from tools.segmentation.automatic import automatic_masks

    found = automatic_masks(predictor)
    mask = np.zeros(seen.size, dtype=bool)
    for one in found:
        mask |= one.mask
    objects = tuple(ObjectFound(one.box, int(one.mask.sum()), round(one.quality, 4)) for one in found)
    return replace(seen, mask=mask, objects=objects)


def _measured(mask: NDArray[np.bool_] | None, study: "Study", number: int) -> tuple[Measurement, ...]:
    from tools.measurements import measure_mask

    if mask is None or not mask.any():
        return ()
    return measure_mask(mask, study.spacing_mm, study.values(number), "HU" if study.modality == "CT" else "a.u.")
