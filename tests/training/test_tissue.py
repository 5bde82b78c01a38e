import numpy as np
import pytest

from training.tissue import restained, tissue


@pytest.mark.parametrize("seed", range(3))
def test_drawn_tissue_is_coloured_and_repeats_with_its_seed(seed: int) -> None:
    first, again = (tissue(np.random.default_rng(seed), 96) for _ in range(2))
    assert (first == again).all()
    assert first.shape == (96, 96, 3)
    assert float(np.ptp(first.reshape(-1, 3).mean(0))) > 2


def test_a_restained_section_keeps_its_size_and_what_is_white() -> None:
    from skimage.data import immunohistochemistry

    section = immunohistochemistry()[:96, :96]
    changed = restained(np.random.default_rng(4), section)
    assert changed.shape == section.shape
    assert changed.dtype == np.uint8
    assert np.abs(changed.astype(int) - section).mean() > 5
    white = np.full((64, 64, 3), 255, dtype=np.uint8)
    assert restained(np.random.default_rng(4), white).min() > 200
