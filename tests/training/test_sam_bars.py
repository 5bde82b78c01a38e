import numpy as np
import pytest

from training.sam_bars import dice_of, ellipse_in, grabcut_in


def disc(radius: float = 30.0) -> tuple[np.ndarray, np.ndarray]:
    """A bright disc on a dark noisy ground, uint8 ``(120, 160, 3)``, and its mask."""
    y, x = np.ogrid[:120, :160]
    mask = (y - 60) ** 2 + (x - 80) ** 2 < radius**2
    noise = np.random.default_rng(0).integers(0, 25, (120, 160, 3))
    return (40 + noise + 120 * mask[..., None]).astype(np.uint8), mask


def test_the_ellipse_touches_the_box_and_no_more() -> None:
    mask = ellipse_in((10, 20, 50, 40), (60, 70))
    assert mask.any(0).nonzero()[0].tolist() == list(range(10, 50))
    assert mask.any(1).nonzero()[0].tolist() == list(range(20, 40))
    assert mask.sum() == pytest.approx(np.pi * 20 * 10, rel=0.03)


def test_grabcut_finds_a_disc_better_than_its_box() -> None:
    pixels, mask = disc()
    box = (45, 25, 115, 95)
    square = np.zeros_like(mask)
    square[25:95, 45:115] = True
    assert dice_of(grabcut_in(pixels, box), mask) > max(0.97, dice_of(square, mask))


def test_grabcut_is_the_same_every_time() -> None:
    pixels, _ = disc()
    assert (grabcut_in(pixels, (45, 25, 115, 95)) == grabcut_in(pixels, (45, 25, 115, 95))).all()


@pytest.mark.parametrize("box", [(0, 0, 160, 120), (70, 50, 90, 70)])
def test_grabcut_gives_something_where_there_is_no_ground_or_no_difference(box: tuple[int, int, int, int]) -> None:
    mask = grabcut_in(np.full((120, 160, 3), 90, dtype=np.uint8), box)
    assert mask.shape == (120, 160)
    x0, y0, x1, y1 = box
    assert mask.any()
    outside = mask.copy()
    outside[y0:y1, x0:x1] = False
    assert not outside.any()


def test_dice() -> None:
    _, mask = disc()
    assert dice_of(mask, mask) == 1
    assert dice_of(mask, ~mask) == 0
    assert dice_of(mask & False, mask & False) == 0
