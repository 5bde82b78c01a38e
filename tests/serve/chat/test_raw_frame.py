"""What the browser is sent of a frame shows the same picture as the study's own display."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from serve.chat.raw_frame import CODES, RawFrame, colour_frame, grey_frame
from tools.imaging.window import Presentation, Table, Tone, Window, render, tone_of

SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6)
VALUES = st.floats(-3e4, 3e4, width=32)


def codes_of(frame: RawFrame) -> NDArray[np.uint16]:
    shape = frame.facts.height, frame.facts.width
    return np.frombuffer(frame.body, "<u2", shape[0] * shape[1]).reshape(shape)


def values_of(frame: RawFrame) -> NDArray[np.float64]:
    return codes_of(frame) * frame.facts.slope + frame.facts.intercept


@given(arrays(np.float32, SHAPES, elements=VALUES))
def test_values_come_back_to_half_a_step(values: NDArray[np.float32]) -> None:
    frame = grey_frame(values, Tone((0, 1)))
    assert np.abs(values_of(frame) - values).max() <= frame.facts.slope / 2 * 1.001
    assert frame.facts.slope <= max(1, np.ptp(values.astype(np.float64)) / (CODES - 1))


@given(arrays(np.int16, SHAPES))
def test_whole_values_come_back_exactly(stored: NDArray[np.int16]) -> None:
    values = stored.astype(np.float32)
    assert np.array_equal(values_of(grey_frame(values, Tone((0, 1)))), values)


@given(arrays(np.int16, SHAPES, elements=st.integers(-1024, 3071)), st.booleans(), st.integers(2, 4000))
def test_a_window_shows_what_the_display_shows(stored: NDArray[np.int16], inverted: bool, width: int) -> None:
    values = stored.astype(np.float32)
    presentation = Presentation(window=Window(40, width), inverted=inverted)
    facts = grey_frame(values, tone_of(values, presentation)).facts
    bright = np.clip((values.astype(np.float64) - facts.low) / max(facts.high - facts.low, 1e-12), 0, 1)
    picture = np.floor((1 - bright if inverted else bright) * 255 + 0.5)
    # The display is computed in single precision: it may round the other way.
    assert np.abs(picture - render(values, presentation)).max() <= 1 or facts.high <= facts.low
    assert facts.inverted is inverted


def test_a_table_of_the_file_comes_as_a_curve() -> None:
    table = Table(-10.0, np.array([0.0, 0.25, 1.0, 0.5], np.float32))
    values = np.array([[-20, -10, -9], [-8, -7, 30]], np.float32)
    presentation = Presentation(table=table, inverted=True)
    frame = grey_frame(values, tone_of(values, presentation))
    curve = np.frombuffer(frame.body[2 * values.size :], np.uint8)
    assert frame.facts.curve
    assert curve.shape == (CODES,)
    assert np.array_equal(curve[codes_of(frame)], render(values, presentation))


@pytest.mark.parametrize("values", [np.full((2, 3), np.nan), np.full((2, 3), 7.0), np.array([[np.inf, 1.0, np.nan]])])
def test_what_is_no_number_is_shown_as_the_least(values: NDArray[np.float64]) -> None:
    frame = grey_frame(values.astype(np.float32), tone_of(values.astype(np.float32), Presentation()))
    assert np.isfinite(values_of(frame)).all()
    assert len(frame.body) == 2 * values.size


def test_colour_goes_as_it_is() -> None:
    display = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    frame = colour_frame(display)
    assert (frame.facts.kind, frame.facts.width, frame.facts.height) == ("rgb", 4, 2)
    assert np.array_equal(np.frombuffer(frame.body, np.uint8).reshape(2, 4, 3), display)
