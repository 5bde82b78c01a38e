import numpy as np
import pytest

from tools.prompts import not_medical
from training.negatives import DRAWN, SAMPLE_PHOTOGRAPHS, collage, drawn, sample_photographs, scrambled


@pytest.mark.parametrize("kind", sorted(DRAWN))
def test_a_seed_draws_the_same_pictures_again(kind: str) -> None:
    assert kind in not_medical()
    first, again, other = drawn(kind, 3, 48, 1), drawn(kind, 3, 48, 1), drawn(kind, 3, 48, 2)
    assert first.shape == (3, 48, 48, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_scrambled_picture_has_the_tones_but_not_the_order() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    mixed = scrambled(np.random.default_rng(1), picture)
    assert mixed.shape == picture.shape
    assert not np.array_equal(mixed, picture)
    assert abs(mixed.mean() - picture.mean()) < 2


def test_sample_photographs_leave_out_those_kept_for_tests() -> None:
    assert not {"chelsea.png", "coffee.png", "astronaut.png"} & set(SAMPLE_PHOTOGRAPHS)
    photographs = sample_photographs(32)
    assert photographs.shape == (len(SAMPLE_PHOTOGRAPHS), 32, 32, 3)
    assert collage(np.random.default_rng(0), photographs[0], photographs[1]).shape == (32, 32, 3)
