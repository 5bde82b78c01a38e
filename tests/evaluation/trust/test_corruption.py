import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.trust.corruption import CORRUPTIONS, corrupt

every = pytest.mark.parametrize("name", CORRUPTIONS)


def picture(height: int = 60, width: int = 80) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    waves = 128 + 60 * np.sin(rows / 4) + 40 * np.cos(columns / 5)
    return np.stack([waves, waves * 0.8, waves * 0.5], axis=2).clip(0, 255).astype(np.uint8)


def test_there_are_eighteen() -> None:
    assert len(CORRUPTIONS) == 18


@every
def test_each_spoils_more_with_severity_and_the_same_for_the_same_seed(name: str) -> None:
    clean = picture()
    before = clean.copy()
    harm = []
    for severity in (1, 2, 3):
        one, other = (corrupt(clean, name, severity, np.random.default_rng(5)) for _ in range(2))
        assert one.dtype == np.uint8
        assert one.shape == clean.shape
        assert np.array_equal(one, other)
        harm.append(float(np.abs(one.astype(int) - clean).mean()))
    assert np.array_equal(clean, before)
    assert 0 < harm[0] < harm[2], harm


@given(st.sampled_from(list(CORRUPTIONS)), st.integers(1, 3), st.integers(8, 40), st.integers(8, 40), st.integers(0, 9))
def test_any_size_and_tone_gives_a_picture(name: str, severity: int, height: int, width: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    for image in (draw.integers(0, 256, (height, width, 3), np.uint8), np.zeros((height, width, 3), np.uint8)):
        spoilt = corrupt(image, name, severity, draw)
        assert spoilt.shape == image.shape
        assert spoilt.dtype == np.uint8


def test_a_severity_or_name_that_is_none() -> None:
    with pytest.raises(ValueError, match="severity"):
        corrupt(picture(), "jpeg", 4, np.random.default_rng(0))
    with pytest.raises(KeyError):
        corrupt(picture(), "rain", 1, np.random.default_rng(0))
