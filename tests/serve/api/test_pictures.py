"""Pictures as PNG, and small enough where they must be."""

import io

import numpy as np
import pytest
from PIL import Image

from serve.api.pictures import png, shades


@pytest.mark.parametrize("shape", [(700, 900), (700, 900, 3)])
@pytest.mark.parametrize("largest", [50_000, 700_000])
def test_a_picture_is_made_small_enough_and_keeps_its_shape(shape: tuple[int, ...], largest: int) -> None:
    noise = np.random.default_rng(7).integers(0, 256, shape, np.uint8)
    data = png(noise, largest)
    assert len(data) <= largest
    image = Image.open(io.BytesIO(data))
    assert image.width / image.height == pytest.approx(900 / 700, rel=0.02)


def test_a_picture_that_fits_is_left_as_it_is() -> None:
    mask = np.zeros((300, 200), bool)
    mask[20:40, 30:50] = True
    for data in (png(shades(mask)), png(shades(mask), 10_000)):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), mask.astype(np.uint8) * 255)
