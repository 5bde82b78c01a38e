import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overread.records import Measurement
from tools.errors import ToolError
from tools.measurements import axes_of, centroid_of, measure_mask

sides = st.floats(6, 40)
spacings = st.floats(0.1, 3.0)


def ellipse(long: float, short: float, angle: float, size: int = 120) -> np.ndarray:
    """An ellipse in the middle, its half axes in pixels, turned clockwise by ``angle`` degrees."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    turn = math.radians(angle)
    along, across = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    return (along / long) ** 2 + (across / short) ** 2 <= 1


def by_name(found: tuple[Measurement, ...]) -> dict[str, Measurement]:
    return {one.name: one for one in found}


@given(sides, sides, st.floats(0, 180))
@settings(max_examples=60, deadline=None)
def test_an_ellipse_has_its_area_and_axes_however_it_lies(a: float, b: float, angle: float) -> None:
    long, short = max(a, b), min(a, b)
    mask = ellipse(long, short, angle)
    found = by_name(measure_mask(mask))
    assert found["area"].value == mask.sum()
    assert found["area"].value == pytest.approx(math.pi * long * short, rel=0.08)
    assert found["longest axis"].value == pytest.approx(2 * long, abs=2.5)
    # Where the axes are nearly equal the direction of the longest is a matter of pixels.
    assert found["short axis"].value == pytest.approx(2 * short, abs=2.5 + 0.1 * (long - short))


@given(sides, sides, st.integers(0, 3), st.booleans())
@settings(max_examples=40, deadline=None)
def test_turning_and_mirroring_change_no_length(a: float, b: float, quarters: int, mirrored: bool) -> None:
    mask = ellipse(a, b, 20)
    mask[60:70, 50:100] = True
    other = np.rot90(mask, quarters)[:, :: -1 if mirrored else 1]
    one, two = axes_of(mask), axes_of(np.ascontiguousarray(other))
    assert two.long == pytest.approx(one.long)
    assert by_name(measure_mask(other))["area"].value == mask.sum()


@given(st.integers(1, 30), st.integers(1, 30), spacings, spacings)
@settings(max_examples=60, deadline=None)
def test_a_rectangle_with_unequal_spacing(rows: int, columns: int, row_mm: float, column_mm: float) -> None:
    mask = np.zeros((40, 50), dtype=bool)
    mask[5 : 5 + rows, 10 : 10 + columns] = True
    found = by_name(measure_mask(mask, (row_mm, column_mm)))
    assert found["area"].value == pytest.approx(rows * columns * row_mm * column_mm, rel=1e-3, abs=1e-3)
    assert found["longest axis"].value == pytest.approx(math.hypot(rows * row_mm, columns * column_mm), abs=1e-3)
    assert found["area"].unit == "mm²"
    assert found["longest axis"].unit == "mm"


@given(st.integers(0, 2**32 - 1), spacings)
@settings(max_examples=40, deadline=None)
def test_any_mask_is_at_least_as_long_as_wide_and_scales_with_its_spacing(seed: int, scale: float) -> None:
    mask = np.random.default_rng(seed).random((17, 23)) < 0.1
    mask[8, 8] = True
    plain, larger = axes_of(mask), axes_of(mask, (scale, scale))
    assert plain.long >= 1
    assert 0 < plain.short <= plain.long * (1 + 1e-9)
    assert larger.long == pytest.approx(plain.long * scale)
    assert 0 <= plain.angle < 180


def test_without_a_spacing_nothing_is_in_millimetres() -> None:
    found = measure_mask(ellipse(20, 10, 0), values=np.full((120, 120), 40, dtype=np.float32), unit="HU")
    assert not any("mm" in one.unit for one in found)
    assert all(one.method for one in found)
    assert by_name(found)["mean intensity"].value == 40
    assert by_name(found)["mean intensity"].unit == "HU"
    assert [one.id for one in found] == [f"M{n}" for n in range(1, len(found) + 1)]


def test_the_mean_is_of_the_inside_alone() -> None:
    mask = np.zeros((10, 10), dtype=bool)
    mask[2:4, 3:6] = True
    values = np.where(mask, 7, np.nan).astype(np.float32)
    values[2, 3] = np.inf
    assert by_name(measure_mask(mask, values=values))["mean intensity"].value == 7
    assert centroid_of(mask) == (2.5, 4.0)


@pytest.mark.parametrize(
    ("mask", "spacing", "values"),
    [
        (np.zeros((4, 4), dtype=bool), None, None),
        (np.ones((4, 4), dtype=bool), (0.0, 1.0), None),
        (np.ones((4, 4), dtype=bool), (float("nan"), 1.0), None),
        (np.ones((4, 4), dtype=bool), None, np.zeros((4, 5), dtype=np.float32)),
    ],
)
def test_what_cannot_be_measured_is_an_error(
    mask: np.ndarray, spacing: tuple[float, float] | None, values: np.ndarray | None
) -> None:
    with pytest.raises(ToolError):
        measure_mask(mask, spacing, values)
