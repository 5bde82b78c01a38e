import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overread.errors import CardError
from tools.segmentation.automatic import Choice, automatic_masks
from tools.segmentation.predictor import Segmenter
from tools.segmentation.prompts import Point, Prompt
from tools.segmentation.uncertainty import Perturbation, doubt, entropy, perturbation_of, with_uncertainty


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (50, 70, 3), dtype=np.uint8)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_doubt_is_between_0_and_1_and_0_when_every_pixel_is_sure(chances: list[float]) -> None:
    chance = np.array(chances, dtype=np.float32)
    assert 0 <= doubt(chance) <= 1
    sure = np.round(chance)
    assert doubt(sure) == (0 if sure.any() else 1)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=30))
def test_entropy_is_largest_at_a_toss_up_and_the_same_for_both_sides(odds: list[float]) -> None:
    values = np.array(odds, dtype=np.float32)
    found = entropy(values)
    assert found.dtype == np.float32
    assert ((found >= 0) & (found <= 1)).all()
    assert entropy(-values) == pytest.approx(found, abs=1e-5)
    assert entropy(np.zeros(1, dtype=np.float32))[0] == 1


@pytest.mark.parametrize("prompt", [Prompt((10, 10, 40, 40)), Prompt(points=(Point(20, 20),))])
def test_a_mask_comes_with_a_map_of_its_own_size_and_the_same_every_time(segmenter: Segmenter, prompt: Prompt) -> None:
    predictor = segmenter.set_image(picture())
    one, two = (with_uncertainty(predictor, prompt, Perturbation()) for _ in range(2))
    assert one.mask.shape == one.map.shape == (50, 70)
    assert ((one.map >= 0) & (one.map <= 1)).all()
    assert one.distrust is None
    assert (one.map == two.map).all()
    assert one.score == two.score


def test_the_flag_follows_the_cards_threshold(segmenter: Segmenter, make_card) -> None:  # type: ignore[no-untyped-def]
    predictor = segmenter.set_image(picture())
    score = with_uncertainty(predictor, Prompt((10, 10, 40, 40)), Perturbation()).score
    for cut, expected in ((score, True), (score + 0.01, False)):
        same = {"kind": "prompt-perturbation", "jitter": Perturbation.jitter, "prompts": Perturbation.prompts}
        file = make_card(calibration={**same, "distrust_from": cut})
        how = perturbation_of(Segmenter(file))
        assert with_uncertainty(predictor, Prompt((10, 10, 40, 40)), how).distrust is expected


@pytest.mark.parametrize(
    "calibration",
    [
        {"kind": "logistic"},
        {"kind": "prompt-perturbation"},
        {"kind": "prompt-perturbation", "jitter": 5, "prompts": 8, "distrust_from": 0.1},
        {"kind": "prompt-perturbation", "jitter": 0.1, "prompts": 10**9, "distrust_from": 0.1},
        {"kind": "prompt-perturbation", "jitter": 0.1, "prompts": 8, "distrust_from": 0.1, "filled": []},
        {"kind": "prompt-perturbation", "jitter": 0.1, "prompts": 8, "distrust_from": 0.1, "filled": [0.5, 1.5]},
    ],
)
def test_a_calibration_that_makes_no_sense_is_a_card_error(make_card, calibration: dict[str, object]) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(CardError, match="calibration"):
        perturbation_of(Segmenter(make_card(calibration=calibration)))


def test_automatic_masks_are_apart_bounded_and_the_surest_first(segmenter: Segmenter) -> None:
    choice = Choice(grid=3, quality=-100, stable=0, least=0, most=1, objects=5)
    found = automatic_masks(segmenter.set_image(picture()), choice)
    assert len(found) <= 5
    assert [one.quality for one in found] == sorted((one.quality for one in found), reverse=True)
    for index, one in enumerate(found):
        x0, y0, x1, y1 = one.box
        assert one.mask[y0:y1, x0:x1].sum() == one.mask.sum() > 0
        for other in found[:index]:
            both = (one.mask & other.mask).sum()
            assert both / (one.mask | other.mask).sum() < choice.same
