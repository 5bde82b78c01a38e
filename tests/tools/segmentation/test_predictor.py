from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overread.errors import CardError
from tools.segmentation.predictor import Segmenter
from tools.segmentation.prompts import Point, Prompt, PromptError

SLOW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


class Counting:
    """Counts the pictures that go through the encoder."""

    def __init__(self, segmenter: Segmenter) -> None:
        self.seen = 0
        encoder = segmenter._load().image_encoder
        encoder.register_forward_pre_hook(self._count)

    def _count(self, _module: object, given: tuple[np.ndarray, ...]) -> None:
        self.seen += len(given[0])


@given(st.data(), st.integers(5, 120), st.integers(5, 120))
@SLOW
def test_any_prompt_in_any_image_gives_masks_of_its_size(
    segmenter: Segmenter, data: st.DataObject, height: int, width: int
) -> None:
    x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    box = (x0, y0, data.draw(st.integers(x0 + 1, width)), data.draw(st.integers(y0 + 1, height)))
    points = tuple(
        Point(data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1)), data.draw(st.booleans()))
        for _ in range(data.draw(st.integers(0, 3)))
    )
    predictor = segmenter.set_image(picture(height, width))
    for prompt in (Prompt(box), Prompt(box, points), Prompt(points=(Point(x0, y0), *points))):
        one, many = predictor.predict(prompt), predictor.predict(prompt, multimask=True)
        assert one.masks.shape == (1, height, width)
        assert many.masks.shape == (4, height, width)
        assert many.masks.dtype == bool
        assert np.isfinite(many.logits).all()
        assert (many.logits[0] == one.logits[0]).all()


def test_an_image_is_embedded_once_and_prompted_many_times(segmenter: Segmenter) -> None:
    counting = Counting(segmenter)
    predictor = segmenter.set_image(picture(60, 80), "a")
    box = Prompt((10, 10, 40, 40))
    predictor.predict(box)
    assert counting.seen == 1
    for _ in range(5):
        predictor.predict(box)
        segmenter.set_image(picture(60, 80), "a").predict(Prompt((10, 10, 40, 40), (Point(20, 20),)))
    assert counting.seen == 1
    segmenter.set_image(picture(60, 80), "b").predict(box)
    assert counting.seen == 2


def test_without_a_key_the_pixels_are_the_key(segmenter: Segmenter) -> None:
    counting = Counting(segmenter)
    for seed in (1, 1, 2, 1):
        segmenter.set_image(picture(50, 50, seed)).predict(Prompt((5, 5, 30, 30)))
    assert counting.seen == 2


def test_the_cache_of_embeddings_is_bounded(segmenter: Segmenter) -> None:
    segmenter = Segmenter(segmenter._file, kept=3)
    for seed in range(6):
        segmenter.set_image(picture(40, 40, seed)).predict(Prompt((5, 5, 30, 30)))
    assert len(segmenter._embeddings) == 3


def test_several_threads_get_what_one_gets(segmenter: Segmenter) -> None:
    images = [picture(40, 50, seed) for seed in range(6)]
    alone = [Segmenter(segmenter._file).set_image(image).predict(Prompt((5, 5, 30, 30))).logits for image in images]

    def ask(image: np.ndarray) -> np.ndarray:
        return segmenter.set_image(image).predict(Prompt((5, 5, 30, 30))).logits

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(ask, images * 2))
    for index, logits in enumerate(together):
        assert logits == pytest.approx(alone[index % 6], abs=1e-4)


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt(),
        Prompt((0, 0, 0, 5)),
        Prompt((5, 5, 4, 9)),
        Prompt((0, 0, 51, 40)),
        Prompt((-1, 0, 5, 5)),
        Prompt(points=(Point(50, 0),)),
        Prompt(points=(Point(0, 40),)),
        Prompt((0, 0, 5, 5), (Point(-1, 0),)),
        Prompt(points=(Point(3, 3, inside=False),)),
    ],
)
def test_a_prompt_outside_the_image_is_an_error(segmenter: Segmenter, prompt: Prompt) -> None:
    with pytest.raises(PromptError):
        segmenter.set_image(picture(40, 50)).predict(prompt)


@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 5), (5, 5, 4)])
def test_what_is_no_image_is_an_error(segmenter: Segmenter, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="uint8"):
        segmenter.set_image(np.zeros(shape, dtype=np.uint8))


def test_a_network_that_sees_grey_is_not_swayed_by_colour(make_card) -> None:  # type: ignore[no-untyped-def]
    segmenter = Segmenter(make_card(input={"grey": True}))
    red = np.zeros((40, 40, 3), dtype=np.uint8)
    red[10:30, 10:30, 0] = 240
    answers = [
        segmenter.set_image(red[..., order]).predict(Prompt((8, 8, 32, 32))).logits for order in ([0, 1, 2], [1, 2, 0])
    ]
    assert answers[0] == pytest.approx(answers[1], abs=1e-5)


def test_grey_is_yes_or_no(make_card) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(CardError, match="grey"):
        Segmenter(make_card(input={"grey": "perhaps"}))
