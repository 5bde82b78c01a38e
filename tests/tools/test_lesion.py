"""The numbers of a spot on the skin: of known length, finite, and true to what is drawn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tools.describers import DESCRIBERS
from tools.lesion import COUNT, SIDE, lesion_numbers, spot_mask, without_hair

SKIN, BROWN = (214, 172, 150), (96, 58, 40)


def spot(x: float = 64, y: float = 64, wide: float = 24, high: float = 24) -> NDArray[np.uint8]:
    """A brown ellipse on skin."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    inside = ((columns - x) / wide) ** 2 + ((rows - y) / high) ** 2 <= 1
    return np.where(inside[..., None], BROWN, SKIN).astype(np.uint8)


def test_the_spot_is_found_where_it_is() -> None:
    image = spot(70, 58, 26, 18)
    found = spot_mask(image.astype(np.float32) / 255)
    drawn = image[..., 0] == BROWN[0]
    assert 2 * (found & drawn).sum() / (found.sum() + drawn.sum()) > 0.93


def test_hairs_are_closed_and_the_spot_stays() -> None:
    image = spot().astype(np.float32) / 255
    hairy = image.copy()
    hairy[:, 30:32] = 0.1
    hairy[100:102] = 0.1
    clean = without_hair(hairy)
    assert np.abs(clean - image).mean() < 0.25 * np.abs(hairy - image).mean()
    assert np.abs(without_hair(image) - image).mean() < 0.01


@pytest.mark.parametrize("tone", [0, 128, 255])
def test_an_empty_picture_still_has_numbers(tone: int) -> None:
    numbers = lesion_numbers(np.full((SIDE, SIDE, 3), tone, np.uint8))
    assert numbers.shape == (COUNT,)
    assert np.isfinite(numbers).all()


@settings(max_examples=10, deadline=None)
@given(st.floats(20, 108), st.floats(20, 108), st.floats(4, 60), st.floats(4, 60))
def test_every_spot_has_as_many_finite_numbers(x: float, y: float, wide: float, high: float) -> None:
    numbers = lesion_numbers(spot(x, y, wide, high))
    assert numbers.shape == (COUNT,)
    assert numbers.dtype == np.float32
    assert np.isfinite(numbers).all()


def test_asymmetry_is_seen() -> None:
    round_one, lopsided = spot(), spot()
    lopsided[64:, 64:] = SKIN
    assert lesion_numbers(lopsided)[8] > lesion_numbers(round_one)[8] + 0.1


def test_a_describer_tells_its_length() -> None:
    for one in DESCRIBERS.values():
        assert one.describe([spot(), np.zeros((5, 9, 3), np.uint8)]).shape == (2, one.count)
