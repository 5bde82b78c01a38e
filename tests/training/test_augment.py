import pytest
import torch

from training.augment import Strength, augment


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_keep_their_shape_and_range(channels: int) -> None:
    torch.manual_seed(0)
    x = torch.rand(6, channels, 48, 48)
    how = Strength(invert=0.5, tint=0.5 if channels == 3 else 0, grey=0.3, jpeg=1, mark=1, quarter_turn=0.5)
    y = augment(x, how)
    assert y.shape == x.shape
    assert bool(torch.isfinite(y).all())
    assert 0 <= float(y.min()) <= float(y.max()) <= 1
    assert not torch.equal(x, y)


def test_no_strength_changes_almost_nothing() -> None:
    still = Strength(0, (1, 1), 0, 0, 0, 0, 0, 0, 0, 0, noise=0, blur=0, mark=0)
    x = torch.rand(3, 1, 32, 32)
    assert float((augment(x, still) - x).abs().max()) < 1e-3
