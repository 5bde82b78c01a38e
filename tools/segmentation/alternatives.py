"""Other outlines that a prompt could mean, where they differ enough to matter.

A prompt may point at a part or at the whole; SAM's decoder gives several masks for one prompt (Kirillov et
al., Segment Anything, 2023). Those that are nearly the same say nothing new and are left out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.segmentation.predictor import ImagePredictor
from tools.segmentation.prompts import Prompt

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Plausible:
    """Which masks are offered: at most ``most``; a Dice below ``differs`` to each other one.

    The foretold overlap of each is at most ``worse`` below the best one's.
    """

    most: int = 2
    differs: float = 0.85
    worse: float = 0.2


@dataclass(frozen=True)
class OtherMask:
    """Another outline: bool ``(H, W)``, the overlap the network foretells, and its Dice to the first mask."""

    mask: Bools
    quality: float
    dice: float


def other_masks(
    predictor: ImagePredictor, prompt: Prompt, first: Bools, how: Plausible | None = None
) -> tuple[OtherMask, ...]:
    """What else a prompt could mean than ``first``, bool ``(H, W)``, by foretold overlap. There may be nothing else.

    Raises ``PromptError`` for a prompt outside the image.
    """
    how = how or Plausible()
    answered = predictor.predict(prompt, multimask=True)
    masks, quality = answered.masks, answered.quality
    best, kept = float(quality.max()), [first]
    found: list[OtherMask] = []
    for number in np.argsort(-quality, kind="stable"):
        mask = masks[number]
        if len(found) == how.most or quality[number] < best - how.worse:
            break
        if mask.any() and all(dice(mask, other) < how.differs for other in kept):
            kept.append(mask)
            found.append(OtherMask(mask, float(quality[number]), dice(mask, first)))
    return tuple(found)


def dice(a: Bools, b: Bools) -> float:
    """Twice the overlap over the sum of both areas; 1 when both are empty."""
    both = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / both if both else 1.0
