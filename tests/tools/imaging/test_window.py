"""The window functions against the standard's formulas, and what always holds of a picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydicom import Dataset
from pydicom.pixels import apply_windowing

from tools.imaging.window import Presentation, Rescale, Table, Window, WindowFunction, render


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("center", "width"), [(40, 400), (128, 1), (0, 255), (-600, 1500)])
def test_window_equals_that_of_pydicom(function: WindowFunction, center: float, width: float) -> None:
    dataset = Dataset()
    dataset.PhotometricInterpretation, dataset.BitsStored, dataset.PixelRepresentation = "MONOCHROME2", 16, 0
    dataset.WindowCenter, dataset.WindowWidth, dataset.VOILUTFunction = center, width, function
    values = np.arange(-2000, 2000, dtype=np.float32).reshape(40, 100)
    if (function, width) == ("LINEAR", 1):  # pydicom divides by width - 1
        assert set(np.unique(Window(center, width).apply(values))) == {0, 1}
        return
    with np.errstate(over="ignore"):  # pydicom's sigmoid
        expected = apply_windowing(values, dataset) / 65_535
    np.testing.assert_allclose(Window(center, width, function).apply(values), expected, atol=2e-5)


_GREY = arrays.arrays(np.float32, (5, 7), elements=st.floats(-3000, 3000, width=32))


@given(_GREY, st.booleans())
def test_order_of_values_is_the_order_of_greys(values: np.ndarray, inverted: bool) -> None:
    picture = render(values, Presentation(inverted=inverted)).astype(int)
    order = np.argsort(values, axis=None, kind="stable")
    steps = np.diff(picture.reshape(-1)[order])
    assert (steps <= 0).all() if inverted else (steps >= 0).all()


@given(
    arrays.arrays(np.float32, (4, 4), elements=st.floats(width=32)),
    st.floats(-1e30, 1e30), st.floats(1e-6, 1e30), st.booleans(),
)  # fmt: skip
def test_any_value_and_window_gives_a_picture(values: np.ndarray, center: float, width: float, inverted: bool) -> None:
    with np.errstate(all="ignore"):
        picture = render(values, Presentation(window=Window(center, width), inverted=inverted))
    assert picture.shape == (4, 4)
    assert picture.dtype == np.uint8


def test_void_is_black_and_not_counted() -> None:
    values = np.full((10, 10), 1e9, np.float32)
    values[:5] = np.linspace(0, 1, 50).reshape(5, 10)
    void = values > 1e6
    picture = render(values, Presentation(inverted=True), void)
    assert (picture[5:] == 0).all()
    assert picture[0, 0] == 255


def test_table_holds_at_both_ends() -> None:
    table = Table(10, np.array([5, 6, 7], np.float32))
    assert table.apply(np.array([[-1e9, 10, 11.4, 12, 1e9, np.nan]], np.float32)).tolist() == [[5, 5, 6, 7, 7, 5]]


def test_rescale_of_32_bit_integers_keeps_small_steps() -> None:
    stored = np.array([[2**30, 2**30 + 1]], np.int32)
    assert np.diff(Rescale(1, -(2.0**30)).apply(stored)).item() == 1
