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


@given(shapes, st.floats(-20, 60), st.floats(-20, 60), st.floats(8, 120), st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_a_mirrored_window_sees_the_mirror_image_and_is_pasted_back_unmirrored(
    shape: tuple[int, int], x0: float, y0: float, side: float, seed: int
) -> None:
    plain, mirrored = Window(x0, y0, side, side), Window(x0, y0, side, side, mirrored=True)
    seen = crop(image(shape, seed), plain, 32, (1, 2, 3))
    assert (crop(image(shape, seed), mirrored, 32, (1, 2, 3)) == seen[:, ::-1]).all()
    grid = np.random.default_rng(seed).normal(size=(16, 16)).astype(np.float32)
    assert (paste(grid[:, ::-1], mirrored, shape, -20.0) == paste(grid, plain, shape, -20.0)).all()
    boxes = np.array([[x0, y0, x0 + side / 2, y0 + side / 4]])
    there, here = mirrored.boxes_to_window(boxes, 128)[0], plain.boxes_to_window(boxes, 128)[0]
    assert there == pytest.approx([128 - here[2], here[1], 128 - here[0], here[3]], abs=1e-3)


@given(st.floats(0, 40), st.floats(0, 40), st.floats(10, 50), st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_a_window_laid_over_another_covers_the_same_part_of_the_image(
    x0: float, y0: float, side: float, seed: int
) -> None:
    wide = Window(x0 - side / 2, y0 - side / 2, 2 * side, 2 * side)
    inner = Window(x0, y0, side, side).within(wide, 64)
    assert (inner.x0, inner.y0, inner.width, inner.height) == pytest.approx((16, 16, 32, 32), abs=1e-6)
    whole_ = Window(x0, y0, side, side).within(Window(x0, y0, side, side), 20)
    grid = np.random.default_rng(seed).normal(size=(20, 20)).astype(np.float32)
    assert paste(grid, whole_, (20, 20), -20.0) == pytest.approx(grid, abs=1e-4)
