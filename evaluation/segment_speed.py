"""How fast the starter SAM looks and answers, beside segment-anything's own predictor on the same network.

Each figure is a median on this machine; the ratio to the baseline of the same run says more than the seconds.
"""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from evaluation.speed import Timing, median_seconds
from overread.cards import find_cards
from tools.segmentation.checkpoints import load_network, promptable
from tools.segmentation.predictor import Segmenter
from tools.segmentation.prompts import Prompt
from tools.segmentation.uncertainty import perturbation_of, with_uncertainty

MODEL = "sam-starter"
SIDE = 512
PROMPTS = 20
"""Prompts asked of one image, where many are asked."""

EMBED_BAR_S, PROMPT_BAR_S = 0.3, 0.03


def measure_segmenting(repeats: int = 5) -> list[Timing]:
    """All timings, each the median of ``repeats``, on a drawn image of 512 x 512 pixels."""
    from segment_anything import SamPredictor

    file = promptable(find_cards(), MODEL)
    segmenter = Segmenter(file)
    plain: Any = SamPredictor(cast("Any", load_network(file)))
    image = drawn_image()
    boxes = [(100 + k, 120 + k, 300 + k, 330 + k) for k in range(PROMPTS)]
    prompt = Prompt(boxes[0])
    fresh = iter(range(10**9))

    def look() -> None:
        segmenter.set_image(image, f"look {next(fresh)}").prepare(prompt)

    def plain_look() -> None:
        plain.set_image(image)

    looked = segmenter.set_image(image, "many")
    looked.prepare(prompt)
    window = looked.window_for(prompt)

    def ask() -> None:
        looked.predict(prompt)

    def plain_ask() -> None:
        plain.predict(box=np.array(boxes[0]), multimask_output=False)

    def many() -> None:
        predictor = segmenter.set_image(image, f"many {next(fresh)}")
        predictor.grids(window, prompt, np.array(boxes, dtype=np.float64))

    def plain_many_again() -> None:
        for box in boxes:
            plain.set_image(image)
            plain.predict(box=np.array(box), multimask_output=False)

    def plain_many() -> None:
        plain.set_image(image)
        for box in boxes:
            plain.predict(box=np.array(box), multimask_output=False)

    def doubtful() -> None:
        with_uncertainty(looked, prompt, perturbation_of(segmenter))

    times = {once: median_seconds(once, repeats) for once in (look, plain_look, ask, plain_ask, many, plain_many_again)}
    times |= {once: median_seconds(once, repeats) for once in (plain_many, doubtful)}
    again = f"SamPredictor, {PROMPTS} boxes, set_image before each"
    return [
        Timing("look at an image", times[look], EMBED_BAR_S, "SamPredictor.set_image", times[plain_look]),
        Timing("a box answered", times[ask], PROMPT_BAR_S, "SamPredictor.predict", times[plain_ask]),
        Timing(f"look, then {PROMPTS} boxes at once", times[many], None, again, times[plain_many_again]),
        Timing("the same", times[many], None, f"SamPredictor, look, then {PROMPTS} boxes", times[plain_many]),
        Timing("a box answered, with its doubt", times[doubtful], None, "SamPredictor.predict", times[plain_ask]),
    ]


def drawn_image() -> NDArray[np.uint8]:
    """A bright disc on a darker noisy ground, uint8 ``(512, 512, 3)``, seeded."""
    rng = np.random.default_rng(0)
    y, x = np.ogrid[:SIDE, :SIDE]
    disc = 90.0 * ((y - 225) ** 2 + (x - 200) ** 2 < 100**2)
    grey = (60 + disc + rng.normal(0, 12, (SIDE, SIDE))).clip(0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)
