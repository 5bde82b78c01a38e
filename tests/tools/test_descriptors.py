import numpy as np
import torch

from tools.descriptors import COUNT, SIDE, descriptors


def pictures(seed: int, number: int = 3) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((number, 3, SIDE, SIDE), dtype=np.float32))


def test_their_number_and_that_they_are_finite() -> None:
    for x in (pictures(1), torch.zeros(1, 3, SIDE, SIDE), torch.ones(1, 3, SIDE, SIDE)):
        numbers = descriptors(x)
        assert numbers.shape == (len(x), COUNT)
        assert torch.isfinite(numbers).all()


def test_a_picture_is_described_alike_in_any_company() -> None:
    x = pictures(2)
    together = descriptors(x)
    alone = torch.cat([descriptors(one[None]) for one in x])
    assert torch.allclose(together, alone, atol=1e-4)


def test_exposure_changes_only_the_colour_numbers() -> None:
    x = pictures(3).mean(1, keepdim=True).expand(-1, 3, -1, -1)
    brighter = x * 0.5 + 0.2
    same = (descriptors(x) - descriptors(brighter)).abs() < 0.02
    assert same.float().mean() > 0.9
