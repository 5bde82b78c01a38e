"""How far a mask may be trusted: the prompt is moved a little, and what changes is doubtful.

Source: Zhang et al., UR-SAM, 2023. The score is 1 minus the Dice to be expected when every pixel
belongs to the object with its mean probability over the moved prompts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.errors import CardError
from tools.segmentation.predictor import OUTSIDE, ImagePredictor, Segmenter
from tools.segmentation.prompts import Point, Prompt
from tools.segmentation.window import Window, paste

Floats = NDArray[np.float32]
SEED = 5


@dataclass(frozen=True)
class Perturbation:
    """How prompts are moved, and from which score a mask is not to be trusted.

    ``jitter`` is the largest part of a box's side by which its edges move; points move by a third of
    it. ``prompts`` is how many moved prompts there are. ``distrust_from`` is ``None`` when no
    threshold was ever fitted for the model.
    """

    jitter: float = 0.1
    prompts: int = 8
    distrust_from: float | None = None


@dataclass(frozen=True)
class Uncertain:
    """A mask with its doubt.

    ``mask`` bool ``(H, W)``; ``map`` float32 ``(H, W)`` in [0, 1], 1 where the pixel is a toss-up;
    ``score`` in [0, 1] is 1 minus the expected Dice, not calibrated; ``distrust`` says that the score is at
    or above the model's threshold, ``None`` when the model has none. ``quality`` is the overlap the network foretells.
    """

    mask: NDArray[np.bool_]
    map: Floats
    score: float
    distrust: bool | None
    quality: float


def perturbation_of(segmenter: Segmenter) -> Perturbation:
    """What the card says of perturbing prompts. Raises ``CardError`` when it makes no sense."""
    given = segmenter.card.calibration
    if not given:
        return Perturbation()
    try:
        if given["kind"] != "prompt-perturbation":
            raise ValueError(given["kind"])
        how = Perturbation(float(given["jitter"]), int(given["prompts"]), float(given["distrust_from"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CardError(f"card {segmenter.card.name}: its calibration must be a prompt-perturbation") from error
    if not (0 < how.jitter <= 0.3 and 2 <= how.prompts <= 64):
        raise CardError(f"card {segmenter.card.name}: jitter or prompts of its calibration are out of range")
    return how


def with_uncertainty(predictor: ImagePredictor, prompt: Prompt, how: Perturbation) -> Uncertain:
    """The mask of a prompt averaged over moved prompts, and how much they disagree.

    The moves are the same every time. Raises ``PromptError`` for a prompt outside the image.
    """
    prompt.checked(predictor.shape)
    window = predictor.window_for(prompt)
    logits, quality = _moved(predictor, window, prompt, how)
    chance = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
    mean = chance.mean(axis=0)
    odds = np.log(np.clip(mean, 1e-6, 1 - 1e-6) / (1 - np.clip(mean, 1e-6, 1 - 1e-6)))
    full = paste(odds.astype(np.float32), window, predictor.shape, OUTSIDE)
    score = doubt(mean)
    distrust = None if how.distrust_from is None else score >= how.distrust_from
    return Uncertain(full > 0, entropy(full), score, distrust, float(quality.mean()))


def doubt(chance: Floats) -> float:
    """1 minus the expected Dice of ``chance > 0.5``, pixels being independent with these probabilities; 1 if empty."""
    mask = chance > 0.5
    if not mask.any():
        return 1.0
    return float(1 - 2 * chance[mask].sum() / (chance.sum() + mask.sum()))


def entropy(odds: Floats) -> Floats:
    """The entropy of a pixel in bits, from its log odds: float32 in [0, 1]."""
    bits = np.zeros(odds.shape, dtype=np.float32)
    # Beyond these odds it is below a millionth of a bit, and most of an image lies beyond.
    near = np.abs(odds) < 18
    p = 1 / (1 + np.exp(-odds[near].astype(np.float64)))
    bits[near] = np.clip(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)), 0, 1)
    return bits


def _moved(predictor: ImagePredictor, window: Window, prompt: Prompt, how: Perturbation) -> tuple[Floats, Floats]:
    """Logits ``(N, h, w)`` and qualities ``(N,)`` of the prompt and its moved copies, all in one window."""
    generator = np.random.default_rng(SEED)
    edges = prompt.edges()
    if edges is not None:
        sides = np.tile(edges[2:] - edges[:2], 2)
        moves = generator.uniform(-how.jitter, how.jitter, (how.prompts, 4))
        boxes = np.concatenate([edges[None], edges + moves * sides])
        logits, quality = predictor.grids(window, prompt, boxes)
        return logits[:, 0], quality[:, 0]
    reach = how.jitter / 3 * max(window.width, window.height)
    asked = [prompt, *(_shifted(prompt, reach, predictor.shape, generator) for _ in range(how.prompts))]
    found = predictor.at_points(window, asked)
    best = 0 if len(prompt.points) > 1 else int(found[0][1].argmax())
    return np.stack([grids[best] for grids, _ in found]), np.array([quality[best] for _, quality in found])


def _shifted(prompt: Prompt, reach: float, shape: tuple[int, int], generator: np.random.Generator) -> Prompt:
    def moved(point: Point) -> Point:
        dx, dy = generator.uniform(-reach, reach, 2)
        x = int(np.clip(round(point.x + dx), 0, shape[1] - 1))
        return Point(x, int(np.clip(round(point.y + dy), 0, shape[0] - 1)), point.inside)

    return Prompt(prompt.box, tuple(moved(point) for point in prompt.points))
