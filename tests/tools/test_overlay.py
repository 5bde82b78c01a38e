import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overread.records import Context, Finding, Region
from tools.contract import Picture
from tools.overlay import COLOURS, LARGEST, SMALLEST, Scene, bar_mm, draw_overlay, side_marker

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


@given(st.floats(0.01, 5000))
def test_a_scale_bar_is_the_longest_round_length_that_fits(most: float) -> None:
    length = bar_mm(most)
    assert length <= most * (1 + 1e-6)
    assert length * 2.5 * (1 + 1e-6) >= most
    assert f"{length:.0e}"[0] in "125"


def test_a_scale_bar_is_as_long_as_it_says() -> None:
    black = np.zeros((600, 600, 3), dtype=np.uint8)
    plain, scaled = (draw_overlay(black, [], [], Scene(spacing)) for spacing in (None, (0.5, 0.5)))
    rows = scaled[:600, :, 0] > 250
    longest = max(int(row.sum()) for row in rows)
    # 30 % of 600 pixels of 0.5 mm are 90 mm; the longest round length is 50 mm, which is 100 pixels.
    assert longest == pytest.approx(100, abs=2)
    assert not (plain[:600] > 250).any()


def test_a_bar_follows_the_columns_spacing() -> None:
    black = np.zeros((600, 600, 3), dtype=np.uint8)
    drawn = draw_overlay(black, [], [], Scene((9.0, 0.5)))
    assert max(int(row.sum()) for row in drawn[:600, :, 0] > 250) == pytest.approx(100, abs=2)


@pytest.mark.parametrize(
    ("context", "marker"),
    [
        (Context(laterality="R"), "R"),
        (Context(laterality="L"), "L"),
        (Context(laterality="B"), None),
        (Context(view="PA"), None),
        (Context(), None),
    ],
)
def test_a_side_is_marked_only_where_it_is_known(context: Context, marker: str | None) -> None:
    assert side_marker(context) == marker
    plain, drawn = draw_overlay(GREY, [], []), draw_overlay(GREY, [], [], Scene(context=context))
    assert (plain == drawn).all() == (marker is None)


def test_doubt_is_not_drawn_as_heat() -> None:
    doubt = Picture(id="A1", kind="uncertainty", pixels=heat().pixels)
    assert (draw_overlay(GREY, [doubt], []) == draw_overlay(GREY, [], [])).all()


def test_every_mask_has_its_own_colour_and_a_line_in_the_legend() -> None:
    masks = []
    for number in range(3):
        pixels = np.zeros((200, 300), dtype=bool)
        pixels[50:150, 20 + 90 * number : 90 + 90 * number] = True
        masks.append(Picture(id=f"A{number}", kind="mask", pixels=pixels, title="lung fields"))
    one, three = draw_overlay(GREY, masks[:1], []), draw_overlay(GREY, masks, [])
    assert three.shape[0] > one.shape[0]
    for colour in COLOURS[:3]:
        assert (np.abs(three[: SMALLEST * 2 // 3].astype(int) - colour).max(axis=2) <= 2).any()
