import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.segmentation.window import Window, crop, paste, whole, window_round

shapes = st.tuples(st.integers(8, 90), st.integers(8, 90))


def image(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 255, (*shape, 3), dtype=np.uint8)


@given(shapes, st.integers(16, 64))
@settings(max_examples=40, deadline=None)
def test_the_whole_of_a_constant_image_is_constant_and_the_rest_is_filled(shape: tuple[int, int], size: int) -> None:
    grey = np.full((*shape, 3), 90, dtype=np.uint8)
    seen = crop(grey, whole(shape), size, (7, 8, 9))
    rows, columns = (round(side * size / max(shape)) for side in shape)
    assert (seen[:rows, :columns] == 90).all()
    assert (seen[rows:] == (7, 8, 9)).all()
    assert (seen[:, columns:] == (7, 8, 9)).all()
    assert (crop(grey, whole(shape, stretch=True), size, (0, 0, 0)) == 90).all()


@given(shapes, st.floats(-50, 150), st.floats(-50, 150), st.floats(3, 200), st.integers(0, 9))
@settings(max_examples=80, deadline=None)
def test_any_window_can_be_cropped_and_pasted(
    shape: tuple[int, int], x0: float, y0: float, side: float, seed: int
) -> None:
    window = Window(x0, y0, side, side)
    assert crop(image(shape, seed), window, 32, (0, 0, 0)).shape == (32, 32, 3)
    grid = np.random.default_rng(seed).normal(size=(16, 16)).astype(np.float32)
    full = paste(grid, window, shape, -20.0)
    assert full.shape == shape
    inside = full[full != -20.0]
    assert inside.size == 0 or (grid.min() - 1e-5 <= inside.min() and inside.max() <= grid.max() + 1e-5)


def test_a_window_of_the_networks_own_size_is_the_pixels_themselves() -> None:
    picture = image((40, 60))
    assert (crop(picture, Window(10, 5, 32, 32), 32, (0, 0, 0)) == picture[5:37, 10:42]).all()


@given(st.integers(0, 30), st.integers(0, 30), st.integers(6, 60), st.integers(6, 60))
@settings(max_examples=60, deadline=None)
def test_a_box_drawn_in_its_window_comes_back_where_it_was(x0: int, y0: int, wide: int, high: int) -> None:
    box = np.array([x0, y0, x0 + wide, y0 + high], dtype=float)
    window = window_round(box, 0.6, 4)
    corners = window.to_window(box.reshape(2, 2), 128)
    assert corners.mean(axis=0) == pytest.approx([64, 64], abs=1e-3)
    assert np.ptp(corners, axis=0).max() == pytest.approx(0.6 * 128, rel=1e-4)
    places = np.arange(128) + 0.5
    on = (places[None] > corners[0, 0]) & (places[None] < corners[1, 0])
    on = on & (places[:, None] > corners[0, 1]) & (places[:, None] < corners[1, 1])
    mask = paste(np.where(on, 5, -5).astype(np.float32), window, (100, 100), -20) > 0
    wanted = np.zeros((100, 100), dtype=bool)
    wanted[y0 : y0 + high, x0 : x0 + wide] = True
    assert 2 * (mask & wanted).sum() / (mask.sum() + wanted.sum()) > 0.85
