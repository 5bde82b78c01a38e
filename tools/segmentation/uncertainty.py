"""How far a mask may be trusted: the prompt is moved a little and looked at in two ways; what changes is doubtful.

Source: Zhang et al., UR-SAM, 2023. The score is 1 minus the Dice to be expected when every pixel
belongs to the object with its mean probability over the moved prompts.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from overread.errors import CardError
from tools.segmentation.predictor import OUTSIDE, ImagePredictor, Segmenter
from tools.segmentation.prompts import Point, Prompt
from tools.segmentation.window import Window, paste

Floats = NDArray[np.float32]
SEED = 5
POINT_JITTER = 0.1


@dataclass(frozen=True)
class Perturbation:
    """How prompts are moved, and from which score a mask is not to be trusted.

    ``jitter`` is the largest part of a box's side by which its edges move; points move by a third of
    ``POINT_JITTER``. ``prompts`` is how many moved prompts there are. ``distrust_from`` is ``None`` when no
    threshold was ever fitted for the model. A network that zooms looks at a box in one window for each
    of ``filled``, the part of it that the box fills, every second one mirrored.
    """

    jitter: float = 0.05
    prompts: int = 8
    distrust_from: float | None = None
    filled: tuple[float, ...] = (0.5, 0.75)


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
        filled = tuple(float(part) for part in given.get("filled", Perturbation.filled))
        how = Perturbation(float(given["jitter"]), int(given["prompts"]), float(given["distrust_from"]), filled)
    except (KeyError, TypeError, ValueError) as error:
        raise CardError(f"card {segmenter.card.name}: its calibration must be a prompt-perturbation") from error
    in_range = 0 < how.jitter <= 0.3 and 2 <= how.prompts <= 64 and 1 <= len(how.filled) <= 4
    if not (in_range and all(0.2 <= part <= 0.95 for part in how.filled)):
        raise CardError(f"card {segmenter.card.name}: jitter, prompts or filled of its calibration are out of range")
    return how


def with_uncertainty(predictor: ImagePredictor, prompt: Prompt, how: Perturbation) -> Uncertain:
    """The mask of a prompt averaged over moved prompts, and how much they disagree.

    The moves are the same every time. Raises ``PromptError`` for a prompt outside the image.
    """
    prompt.checked(predictor.shape)
    edges = prompt.edges()
    if edges is None:
        window, mean, quality = _looks_at_points(predictor, prompt, how)
    else:
        window, mean, quality = _looks_at_box(predictor, prompt, edges, how)
    full = paste(log_odds(mean), window, predictor.shape, OUTSIDE)
    score = doubt(mean)
    distrust = None if how.distrust_from is None else score >= how.distrust_from
    return Uncertain(full > 0, entropy(full), score, distrust, quality)


def log_odds(chance: Floats) -> Floats:
    """The logarithm of the odds of probabilities, which are kept a millionth away from 0 and 1; float32."""
    within = np.clip(chance.astype(np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(within / (1 - within)), dtype=np.float32)


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


def _mean_chance(logits: Floats) -> Floats:
    """The mean probability over logits ``(N, h, w)``."""
    return np.asarray((1 / (1 + np.exp(-np.clip(logits, -30, 30)))).mean(axis=0), dtype=np.float32)


def _looks_at_box(
    predictor: ImagePredictor, prompt: Prompt, edges: NDArray[np.float64], how: Perturbation
) -> tuple[Window, Floats, float]:
    """A window, the mean probability on its grid, and the mean foretold quality, over moved boxes and windows."""
    sides = np.tile(edges[2:] - edges[:2], 2)
    moves = np.random.default_rng(SEED).uniform(-how.jitter, how.jitter, (how.prompts, 4))
    boxes = np.concatenate([edges[None], edges + moves * sides])
    windows, chances, qualities = predictor.windows_for(edges, how.filled), [], []
    for window in windows:
        logits, quality = predictor.grids(window, prompt, boxes)
        chances.append(_mean_chance(logits[:, 0]))
        qualities.append(float(quality[:, 0].mean()))
    if len(windows) == 1:
        return windows[0], chances[0], qualities[0]
    # A window fills only a part of a wider one: twice the cells keep what it saw.
    widest = max(windows, key=lambda window: window.width)
    over = replace(widest, mirrored=False)
    cells = 2 * chances[0].shape[-1]
    laid = [
        paste(log_odds(chance), window.within(over, cells), (cells, cells), OUTSIDE)
        for window, chance in zip(windows, chances, strict=True)
    ]
    return over, _mean_chance(np.stack(laid)), float(np.mean(qualities))


def _looks_at_points(predictor: ImagePredictor, prompt: Prompt, how: Perturbation) -> tuple[Window, Floats, float]:
    """The same for points, in the one window that suits them."""
    window = predictor.window_for(prompt)
    generator = np.random.default_rng(SEED)
    reach = POINT_JITTER / 3 * max(window.width, window.height)
    asked = [prompt, *(_shifted(prompt, reach, predictor.shape, generator) for _ in range(how.prompts))]
    found = predictor.at_points(window, asked)
    best = 0 if len(prompt.points) > 1 else int(found[0][1].argmax())
    mean = _mean_chance(np.stack([grids[best] for grids, _ in found]))
    return window, mean, float(np.mean([quality[best] for _, quality in found]))


def _shifted(prompt: Prompt, reach: float, shape: tuple[int, int], generator: np.random.Generator) -> Prompt:
    def moved(point: Point) -> Point:
        dx, dy = generator.uniform(-reach, reach, 2)
        x = int(np.clip(round(point.x + dx), 0, shape[1] - 1))
        return Point(x, int(np.clip(round(point.y + dy), 0, shape[0] - 1)), point.inside)

    return Prompt(prompt.box, tuple(moved(point) for point in prompt.points))
