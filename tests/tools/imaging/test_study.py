"""What holds of every study: masks stay, frames are bounded, arrays are the caller's own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overread.records import Context
from tools.errors import FrameError, UnreadableStudyError
from tools.imaging.study import Facts, Frame, Study
from tools.imaging.window import Presentation

_CORNERS = st.tuples(*[st.integers(-5, 15)] * 4)


def _study(frame: Frame) -> Study:
    return Study("s", "h", Facts("CT", 3, (8, 9), None, Context(), None), lambda _index: frame, frame)


@given(st.lists(_CORNERS, max_size=4), st.booleans())
def test_masked_regions_are_gone_from_values_and_picture_of_all_frames(
    boxes: list[tuple[int, int, int, int]], inverted: bool
) -> None:
    values = np.arange(72, dtype=np.float32).reshape(8, 9) + 1000
    grey = _study(Frame(values=values, presentation=Presentation(span=(0, 2000), inverted=inverted)))
    colour = _study(Frame(rgb=np.full((8, 9, 3), 99, np.uint8)))
    inside = np.zeros((8, 9), bool)
    for x0, y0, x1, y1 in boxes:
        inside[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = True
    for study in (grey, colour):
        study.mask_regions(boxes)
        for frame in range(3):
            picture = study.display(frame)
            assert (picture[inside] == 0).all()
            assert (picture[~inside] > 0).all()
    kept = grey.values(1)
    assert kept is not None
    np.testing.assert_array_equal(kept[~inside], values[~inside])
    assert len(np.unique(kept[inside])) <= 1


@pytest.mark.parametrize("frame", [-1, 3, 10**9])
def test_frame_that_is_not_there(frame: int) -> None:
    with pytest.raises(FrameError, match="counted from 0"):
        _study(Frame(rgb=np.zeros((8, 9, 3), np.uint8))).display(frame)


def test_changing_what_was_given_out_changes_nothing(make_dicom: Callable[..., bytes], read: Any) -> None:
    study = read(make_dicom(np.arange(16, dtype=np.uint8).reshape(4, 4)))
    before = study.display().copy()
    study.values()[:] = 0
    study.display()[:] = 0
    np.testing.assert_array_equal(study.display(), before)


def test_frames_from_several_threads(make_dicom: Callable[..., bytes], read: Any) -> None:
    study = read(make_dicom(np.arange(20, dtype=np.uint8)[:, None, None] * np.ones((1, 4, 4), np.uint8)))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda frame: float(study.values(frame).mean()), list(range(20)) * 5))
    assert found == list(range(20)) * 5


def _stack(levels: list[int | None]) -> Study:
    """Frames that are blank where the level is 0, and that do not decode where it is ``None``."""

    def decode(index: int) -> Frame:
        level = levels[index]
        if level is None:
            raise UnreadableStudyError("broken")
        values = np.zeros((8, 9), np.float32)
        values[2:6, 2:6] = level
        return Frame(values=values, presentation=Presentation(span=(0, 100)))

    facts = Facts("CT", len(levels), (8, 9), None, Context(), None)
    return Study("s", "h", facts, decode, Frame(values=np.zeros((8, 9), np.float32)), -1)


@pytest.mark.parametrize(
    ("levels", "frame"),
    [
        ([50], 0),
        ([0], 0),
        ([50, 50], 1),
        ([50] * 5, 2),
        ([50, 50, 0, 50, 50], 3),
        ([50, 50, 0, 0, 0], 1),
        ([50, None, None, None, 50], 4),
        ([0, 0, 0], 1),
        ([None, None, None], 1),
        ([0] * 40 + [50] + [0] * 160, 100),
    ],
)
def test_the_frame_that_stands_for_all_is_the_nearest_to_the_middle_with_something_in_it(
    levels: list[int | None], frame: int
) -> None:
    assert _stack(levels).representative_frame() == frame


@given(st.lists(st.sampled_from([0, 50, None]), min_size=1, max_size=40))
def test_no_frame_nearer_to_the_middle_has_something_in_it(levels: list[int | None]) -> None:
    chosen, middle = _stack(levels).representative_frame(), len(levels) // 2
    if 50 in levels and len(levels) > 1:
        assert levels[chosen] == 50
        nearer = range(middle - abs(chosen - middle) + 1, middle + abs(chosen - middle))
        assert not any(levels[index] == 50 for index in nearer)
    else:
        assert chosen == middle


@given(st.integers(1, 200), st.integers(1, 9))
def test_sampled_frames_are_evenly_spaced(frames: int, count: int) -> None:
    frame = Frame(values=np.arange(72, dtype=np.float32).reshape(8, 9), presentation=Presentation(span=(0, 72)))
    study = Study("s", "h", Facts("CT", frames, (8, 9), None, Context(), None), lambda _index: frame, frame)
    first = study.representative_frame()
    sampled = study.sampled_frames(count, first)
    assert first in sampled
    assert list(sampled) == sorted(set(sampled))
    assert len(sampled) == min(count, frames)
    assert all(0 <= frame < frames for frame in sampled)
    gaps = [after - before for before, after in pairwise(sampled)]
    assert all(gap <= frames // count + frames // (2 * count) + 2 for gap in gaps)
