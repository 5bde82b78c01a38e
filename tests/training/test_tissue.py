import numpy as np
import pytest

from training.tissue import tissue


@pytest.mark.parametrize("seed", range(3))
def test_drawn_tissue_is_coloured_and_repeats_with_its_seed(seed: int) -> None:
    first, again = (tissue(np.random.default_rng(seed), 96) for _ in range(2))
    assert (first == again).all()
    assert first.shape == (96, 96, 3)
    assert float(np.ptp(first.reshape(-1, 3).mean(0))) > 2
