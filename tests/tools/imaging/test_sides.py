import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset

from tools.imaging.sides import row_side, side_in_picture


def header(said: list[str] | None = None, plane: list[float] | None = None) -> Dataset:
    made = Dataset()
    if said is not None:
        made.PatientOrientation = said
    if plane is not None:
        made.ImageOrientationPatient = plane
        made.ImagePositionPatient = [0, 0, 0]
    return made


AXIAL = [1, 0, 0, 0, 1, 0]
MIRRORED = [-1, 0, 0, 0, 1, 0]
SAGITTAL = [0, 1, 0, 0, 0, -1]


@pytest.mark.parametrize(
    ("said", "plane", "side"),
    [
        (["L", "F"], None, "left"),
        (["R", "F"], None, "right"),
        (["A", "F"], None, None),
        (["LA", "F"], None, None),
        (["L"], None, None),
        ([], None, None),
        (None, AXIAL, "left"),
        (None, MIRRORED, "right"),
        (None, SAGITTAL, None),
        (["L", "P"], AXIAL, "left"),
        (["R", "P"], AXIAL, None),
        (["L", "P"], SAGITTAL, None),
        (["L", "P"], [1, 0, 0, 1, 0, 0], "left"),
        (None, [1, 0, 0, 1, 0, 0], None),
    ],
)
def test_rows_run_where_the_header_says(said: list[str] | None, plane: list[float] | None, side: str | None) -> None:
    assert row_side(header(said, plane)) == side


def test_without_a_header_nothing_is_known() -> None:
    assert row_side(None) is None


@given(st.floats(0, 180))
def test_an_oblique_row_has_no_side(degrees: float) -> None:
    x, y = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    side = row_side(header(None, [x, y, 0, 0, 0, -1]))
    assert side == ("left" if x >= 0.95 else "right" if x <= -0.95 else None)


@given(st.integers(1, 4000), st.data(), st.sampled_from(["left", "right"]))
def test_a_box_has_a_side_only_clear_of_the_middle_and_turning_the_picture_turns_it(
    width: int, data: st.DataObject, ends: str
) -> None:
    x0 = data.draw(st.integers(0, width - 1))
    box = (x0, 0, data.draw(st.integers(x0 + 1, width)), 5)
    side = side_in_picture(box, width, ends)  # type: ignore[arg-type]
    mirrored = side_in_picture((width - box[2], 0, width - box[0], 5), width, ends)  # type: ignore[arg-type]
    assert {side, mirrored} in ({"left", "right"}, {None})
    if box[0] < width / 2 < box[2]:
        assert side is None
    assert side_in_picture(box, width, None) is None
