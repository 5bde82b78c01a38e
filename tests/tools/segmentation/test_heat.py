import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.errors import ToolError
from tools.segmentation.heat import HeatPrompt, prompt_from_heat


def bump(shape: tuple[int, int], row: float, column: float, wide: float, high: float = 1.0) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return (high * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * wide**2))).astype(np.float32)


@given(st.integers(0, 39), st.integers(0, 59), st.floats(1, 8))
def test_the_box_holds_the_peak_and_lies_in_the_image(row: int, column: int, wide: float) -> None:
    prompt = prompt_from_heat(bump((40, 60), row, column, wide), HeatPrompt(points=1))
    assert prompt is not None
    assert prompt.checked((40, 60)) == prompt
    assert prompt.box is not None
    x0, y0, x1, y1 = prompt.box
    assert x0 <= column < x1
    assert y0 <= row < y1
    assert (prompt.points[0].x, prompt.points[0].y) == (column, row)


def test_the_box_is_round_the_hottest_area_alone() -> None:
    heat = np.maximum(bump((100, 100), 30, 30, 6), bump((100, 100), 75, 75, 6, high=0.9))
    prompt = prompt_from_heat(heat)
    assert prompt is not None
    assert prompt.box is not None
    half = 6 * np.sqrt(2 * np.log(2))
    assert prompt.box == pytest.approx((30 - half, 30 - half, 31 + half, 31 + half), abs=1.01)


def test_peaks_are_apart_and_the_highest_first() -> None:
    heat = np.maximum(bump((60, 120), 30, 40, 10), bump((60, 120), 30, 75, 10, high=0.9))
    prompt = prompt_from_heat(heat, HeatPrompt(part=0.15, box=False, points=2))
    assert prompt is not None
    assert prompt.box is None
    assert [(one.x, one.y) for one in prompt.points] == [(40, 30), (75, 30)]


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_a_flat_map_points_at_nothing(value: float) -> None:
    assert prompt_from_heat(np.full((10, 10), value, dtype=np.float32)) is None


@pytest.mark.parametrize("heat", [np.zeros((0, 4)), np.zeros((2, 3, 4)), np.full((4, 4), np.nan)])
def test_what_is_no_heatmap_is_refused(heat: np.ndarray) -> None:
    with pytest.raises(ToolError, match="heatmap"):
        prompt_from_heat(heat.astype(np.float32))


@pytest.mark.parametrize("wrong", [{"part": 0.0}, {"points": 99}, {"box": False}, {"apart": 2.0}])
def test_a_prompt_that_asks_for_nothing_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ToolError):
        HeatPrompt(**wrong)  # type: ignore[arg-type]
