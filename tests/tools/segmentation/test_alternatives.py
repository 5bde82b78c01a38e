import numpy as np
import pytest

from tools.segmentation.alternatives import Plausible, dice, other_masks
from tools.segmentation.predictor import Masks, Segmenter
from tools.segmentation.prompts import Point, Prompt, PromptError


def square(x0: int, x1: int) -> np.ndarray:
    grid = np.full((40, 40), -5.0, dtype=np.float32)
    grid[5:35, x0:x1] = 5
    return grid


class Answers:
    """Stands for a predictor whose masks are known."""

    shape = (40, 40)

    def __init__(self, grids: list[np.ndarray], quality: list[float]) -> None:
        self.masks = Masks(np.stack(grids), np.array(quality, dtype=np.float32))

    def predict(self, prompt: Prompt, multimask: bool = False) -> Masks:
        assert prompt == PROMPT
        assert multimask
        return self.masks


PROMPT = Prompt((5, 5, 35, 35))


def test_a_part_and_the_whole_are_both_offered() -> None:
    answers = Answers([square(5, 35), square(5, 34), square(5, 15), square(5, 16)], [0.9, 0.95, 0.8, 0.85])
    found = other_masks(answers, PROMPT, square(5, 35) > 0)  # type: ignore[arg-type]
    assert [one.quality for one in found] == [pytest.approx(0.85)]
    assert found[0].dice == pytest.approx(2 * 11 / (30 + 11))


def test_nothing_is_offered_where_all_masks_agree() -> None:
    answers = Answers([square(5, 35), square(5, 34), square(6, 35), square(5, 33)], [0.9, 0.9, 0.9, 0.9])
    assert other_masks(answers, PROMPT, square(5, 35) > 0) == ()  # type: ignore[arg-type]


def test_an_unlikely_or_empty_mask_is_not_offered() -> None:
    answers = Answers([square(5, 35), square(5, 10), square(0, 0)], [0.9, 0.3, 0.9])
    assert other_masks(answers, PROMPT, square(5, 35) > 0) == ()  # type: ignore[arg-type]


def test_no_more_than_asked_for(segmenter: Segmenter) -> None:
    image = np.random.default_rng(0).integers(0, 255, (50, 70, 3), dtype=np.uint8)
    predictor = segmenter.set_image(image)
    nothing = np.zeros((50, 70), dtype=bool)
    found = other_masks(predictor, Prompt(points=(Point(30, 20),)), nothing, Plausible(most=1, worse=100))
    assert len(found) <= 1
    assert all(one.mask.shape == (50, 70) for one in found)
    with pytest.raises(PromptError):
        other_masks(predictor, Prompt((0, 0, 500, 500)), nothing)


def test_two_empty_masks_are_the_same() -> None:
    empty = np.zeros((3, 3), dtype=bool)
    assert dice(empty, empty) == 1
    assert dice(empty, ~empty) == 0
