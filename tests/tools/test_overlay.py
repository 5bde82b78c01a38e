import numpy as np
import pytest

from overread.records import Finding, Region
from tools.contract import Picture
from tools.overlay import LARGEST, SMALLEST, draw_overlay

GREY = np.full((200, 300, 3), 90, dtype=np.uint8)


def finding(decision: str, region: Region | None = None) -> Finding:
    return Finding(id="F1", label="pneumonia", probability=0.9, decision=decision, region=region)  # type: ignore[arg-type]


def heat() -> Picture:
    pixels = np.zeros((200, 300), dtype=np.float32)
    pixels[50:100, 100:200] = 1
    return Picture(id="A1", kind="heatmap", pixels=pixels)


@pytest.mark.parametrize("shape", [(64, 64), (300, 2000), (1, 5), (3000, 20)])
def test_the_image_is_drawn_at_a_size_that_can_be_looked_at(shape: tuple[int, int]) -> None:
    drawn = draw_overlay(np.zeros((*shape, 3), dtype=np.uint8), [], [])
    assert drawn.dtype == np.uint8
    assert max(drawn.shape[:2]) >= SMALLEST
    assert drawn.shape[1] <= LARGEST


def test_heat_and_box_are_drawn_of_a_finding_that_is_present() -> None:
    region = Region(box=(100, 50, 200, 100), artifact="A1")
    plain = draw_overlay(GREY, [], [finding("absent")])
    drawn = draw_overlay(GREY, [heat()], [finding("present", region)])
    scale = drawn.shape[1] / 300
    inside = drawn[int(75 * scale), int(150 * scale)].astype(int)
    assert inside[0] > inside[2] + 30
    assert (drawn[int(20 * scale), int(20 * scale)] == plain[int(20 * scale), int(20 * scale)]).all()


def test_no_heat_of_a_finding_that_is_not() -> None:
    assert (draw_overlay(GREY, [heat()], [finding("absent")]) == draw_overlay(GREY, [], [finding("absent")])).all()


def test_a_mask_keeps_its_outline() -> None:
    mask = np.zeros((200, 300), dtype=bool)
    mask[40:160, 60:240] = True
    drawn = draw_overlay(GREY, [Picture(id="A1", kind="mask", pixels=mask)], [])
    assert np.ptp(drawn[:300].astype(int)) > 50
