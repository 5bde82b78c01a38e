"""The image viewer as its user meets it: a real server, a real browser, a drawn series and a drawn chest."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from agent.rehearsal import drawn_chest
from evaluation.viewer_speed import drawn_series
from serve.chat.planes import script_path

WAIT = 60_000
SLICES, SIDE, SPACING = 24, 128, 0.5
LEFT, TOP, BLOCK = 32, 40, 48


def values_of(number: int) -> NDArray[np.int16]:
    """A slice: air, in it a block whose left half is of 700 HU and whose right half is brighter in every slice."""
    values = np.full((SIDE, SIDE), -1000, np.int16)
    values[TOP : TOP + BLOCK, LEFT : LEFT + BLOCK] = 40 + number
    values[TOP : TOP + BLOCK, LEFT : LEFT + BLOCK // 2] = 700
    return values


class Viewer:
    """The viewer of an open page, in the words of its user."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def drop(self, path: Path) -> None:
        before = self.page.locator(".cards > *").count()
        self.page.set_input_files("[data-input=files]", str(path))
        self.page.wait_for_function(f"document.querySelectorAll('.cards > *').length === {before + 1}", timeout=WAIT)

    def shows(self, frame: int) -> None:
        self.page.wait_for_selector(f'.ov-stage[data-frame="{frame}"]', timeout=WAIT)

    def part(self, name: str) -> str:
        return str(self.page.inner_text(f"[data-part={name}]"))

    def keys(self, *keys: str, times: int = 1) -> None:
        self.page.focus(".ov-stage")
        for key in keys:
            for _ in range(times):
                self.page.keyboard.press(key)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a place of a square image that fits lies on the screen."""
        edge = self.page.locator(".ov-stage").bounding_box()
        scale = min(edge["width"], edge["height"]) / SIDE
        left, top = (edge[side] - SIDE * scale for side in ("width", "height"))
        return edge["x"] + left / 2 + x * scale, edge["y"] + top / 2 + y * scale

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.page.mouse.move(*self.at(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.at(*end), steps=3)
        self.page.mouse.up()

    def colour(self, x: float, y: float) -> tuple[int, ...]:
        """The colour on the canvas at a place of the image, once it is drawn."""
        left, top = self.at(x, y)
        return tuple(
            self.page.evaluate(
                """([x, y]) => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
                  const canvas = document.querySelector('.ov-stage canvas'), edge = canvas.getBoundingClientRect();
                  const pixel = canvas.width / edge.width;
                  const at = [Math.round((x - edge.left) * pixel), Math.round((y - edge.top) * pixel)];
                  done([...canvas.getContext('2d').getImageData(...at, 1, 1).data.slice(0, 3)]);
                })))""",
                [left, top],
            )
        )

    def outlined(self) -> list[str]:
        self.page.wait_for_function(
            "(() => { const panel = document.querySelector('[data-part=outline]');"
            " return !panel.hidden && !panel.innerText.includes('Outlining'); })()",
            timeout=WAIT,
        )
        return self.part("said").split("\n")


@pytest.fixture
def viewer(open_page: Callable[..., Any]) -> Viewer:
    page = open_page()
    page.wait_for_selector("html[data-ready]", state="attached", timeout=WAIT)
    return Viewer(page)


def test_a_series_is_scrolled_windowed_zoomed_and_measured(viewer: Viewer, tmp_path: Path) -> None:
    drawn_series(tmp_path / "DOE_JANE.zip", SLICES, SIDE, SPACING, values_of)
    viewer.drop(tmp_path / "DOE_JANE.zip")
    viewer.shows(SLICES // 2)
    page, inside, bone = viewer.page, (LEFT + BLOCK * 0.75, TOP + BLOCK / 2), (LEFT + BLOCK / 4, TOP + BLOCK / 2)
    assert "DOE" not in page.content()
    assert "24 slices" in viewer.part("facts")
    assert viewer.part("count") == f"of {SLICES}"

    # Slices: keys, slider, number, wheel.
    viewer.keys("ArrowDown", times=3)
    viewer.shows(SLICES // 2 + 3)
    viewer.keys("End")
    viewer.shows(SLICES - 1)
    page.fill("[data-part=number]", "3")
    page.press("[data-part=number]", "Enter")
    viewer.shows(2)
    page.mouse.move(*viewer.at(*inside))
    page.mouse.wheel(0, 100)
    viewer.shows(3)
    assert viewer.part("value").endswith(f"{40 + 3} HU")
    viewer.keys("Home")
    viewer.shows(0)

    # As stored is the soft tissue window of CT: -160 to 240 HU.
    assert viewer.part("tone") == "level 40, width 400"
    assert abs(viewer.colour(*inside)[0] - 127) <= 2
    assert viewer.colour(*bone)[0] == 255
    page.select_option("[data-part=presets]", "Bone")
    assert viewer.part("tone") == "level 480, width 2500"
    assert abs(viewer.colour(*bone)[0] - round((700 + 770) / 2500 * 255)) <= 2
    page.select_option("[data-part=presets]", "full")
    assert viewer.colour(*bone)[0] == 255
    assert viewer.colour(8, 8)[0] == 0
    viewer.keys("i")
    assert viewer.colour(*bone)[0] == 0
    viewer.keys("i", "w")
    before = viewer.colour(*inside)
    viewer.drag((20, 20), (80, 60))
    assert viewer.colour(*inside) != before
    said = viewer.part("tone")
    viewer.keys("ArrowUp", "ArrowRight")
    assert viewer.part("tone") != said

    # Zoom: the same place on the screen shows another pixel; fit brings it back.
    viewer.keys("v")
    page.mouse.move(*viewer.at(*inside))
    here = viewer.part("value")
    page.mouse.move(*viewer.at(4, 4))
    corner = viewer.part("value")
    viewer.keys("+", times=4)
    page.mouse.move(*viewer.at(4.4, 4.4))
    assert viewer.part("value") != corner
    viewer.keys("0")
    page.mouse.move(*viewer.at(*inside))
    assert viewer.part("value") == here

    # The ruler, with the mouse and with the keys alone.
    viewer.keys("r")
    viewer.drag((20, 100), (100, 100))
    page.wait_for_function("document.querySelector('[data-part=say]').textContent.endsWith(' mm')")
    length = float(viewer.page.text_content("[data-part=say]").removesuffix(" mm"))
    assert length == pytest.approx(80 * SPACING, rel=0.01)
    viewer.keys("Enter", *["Shift+ArrowRight"] * 3, *["Shift+ArrowDown"] * 4, "Enter")
    page.wait_for_function("document.querySelector('[data-part=say]').textContent === '25.0 mm'")

    # Three planes, where the package is installed and the browser has WebGL 2; and back.
    planes = page.locator("[data-do=planes]")
    if script_path() is not None and page.evaluate("Boolean(document.createElement('canvas').getContext('webgl2'))"):
        viewer.keys("t")
        page.wait_for_function(
            "document.querySelector('[data-part=say]').textContent.includes('three planes')", timeout=WAIT
        )
        assert page.locator("[data-part=planes] canvas").bounding_box()["width"] > 200
        viewer.keys("t")
    assert page.locator("[data-part=planes]").is_visible() is False
    assert planes.get_attribute("aria-pressed") == "false"

    # Every key is in the help; what says "?" opens it.
    viewer.keys("?")
    assert page.locator(".ov-help dt").count() > 15
    page.keyboard.press("Escape")
    assert page.locator(".ov-help").is_visible() is False


def test_a_prompt_is_outlined_and_a_finding_is_lit(viewer: Viewer, tmp_path: Path) -> None:
    page = viewer.page
    drawn_series(tmp_path / "series.zip", SLICES, SIDE, SPACING, values_of)
    Image.fromarray(drawn_chest(SIDE)).save(tmp_path / "chest.png")
    viewer.drop(tmp_path / "chest.png")
    viewer.shows(0)
    viewer.drop(tmp_path / "series.zip")
    viewer.shows(SLICES // 2)
    tabs = page.locator(".ov-strip [role=tab]")
    assert tabs.count() == 2
    tabs.first.click()
    viewer.shows(0)
    assert tabs.first.get_attribute("aria-selected") == "true"

    viewer.keys("b")
    with page.expect_response("**/outline", timeout=WAIT):
        viewer.drag((18, 24), (56, 100))
    lines = viewer.outlined()
    assert any(line.startswith("area: ") and line.endswith("px²") for line in lines)
    assert any("trust" in line or "steady" in line for line in lines)
    viewer.keys("Delete")
    assert page.locator("[data-part=outline]").is_visible() is False

    # With the keys alone: to a corner, Enter, to the other, Enter. The image has been looked at: it comes back soon.
    viewer.keys("ArrowRight")
    viewer.keys(*["Shift+ArrowLeft"] * 4, *["Shift+ArrowUp"] * 4, "Enter")
    viewer.keys(*["Shift+ArrowRight"] * 4, *["Shift+ArrowDown"] * 7)
    with page.expect_response("**/outline", timeout=WAIT) as answered:
        page.keyboard.press("Enter")
    asked = json.loads(answered.value.request.post_data)
    x0, y0, x1, y1 = asked["box"]
    assert (x1 - x0, y1 - y0) == (41, 71)
    viewer.outlined()
    assert int(page.get_attribute("[data-part=outline]", "data-milliseconds")) < 5000
    viewer.keys("Delete", "v")

    # A run: its layers are listed, fade and go, and a chip of the conversation lights one up on its own image.
    page.fill("#question textarea", "Is there a pneumonia in this chest X-ray of a 4-year-old child?")
    page.click("button#ask")
    page.wait_for_selector("#current .turn-done", timeout=2 * WAIT)
    page.wait_for_selector(".ov-legend li", timeout=WAIT)
    told = page.evaluate(
        "fetch(`/page/${document.getElementById('viewer-seen').dataset.key}/viewer`).then((answer) => answer.json())"
    )
    mark = next(mark for mark in told["marks"] if mark["layers"])
    layer = next(layer for layer in told["layers"] if layer["key"] == mark["layers"][0])
    if layer["href"]:
        pixels = page.evaluate(
            "(url) => fetch(url).then((a) => a.blob()).then(createImageBitmap).then((b) => [b.width, b.height])",
            layer["href"],
        )
        assert pixels == [SIDE, SIDE]
    tabs.nth(1).click()
    viewer.shows(SLICES // 2)
    page.evaluate(
        "(detail) => document.dispatchEvent(new CustomEvent('overread:show', { detail }))",
        {"study": mark["study_id"], "frame": mark["frame"], "ref": mark["ref"]},
    )
    viewer.shows(0)
    page.wait_for_selector(".ov-legend .ov-lit")
    page.wait_for_function("document.querySelector('[data-part=say]').textContent.includes('its place is lit')")
    with_layers = canvas(page)
    page.evaluate("document.querySelector('[data-do=unlight]').click()")
    page.locator("[data-part=opacity]").fill("0")
    assert canvas(page) != with_layers
    page.locator("[data-part=opacity]").fill("70")
    shown = canvas(page)
    viewer.keys("o")
    assert canvas(page) != shown


def canvas(page: Any) -> str:
    """What is drawn, after the next frame."""
    return str(
        page.evaluate(
            "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() =>"
            " done(document.querySelector('.ov-stage canvas').toDataURL()))))"
        )
    )


@pytest.mark.parametrize(("width", "zoom"), [(390, 1), (1280, 2)])
def test_the_viewer_fits_a_phone_and_a_page_of_twice_the_size(
    open_page: Callable[..., Any], tmp_path: Path, width: int, zoom: int
) -> None:
    page = open_page(width=width // zoom, scheme="dark")
    page.wait_for_selector("html[data-ready]", state="attached", timeout=WAIT)
    viewer = Viewer(page)
    Image.fromarray(drawn_chest(SIDE)).save(tmp_path / "chest.png")
    viewer.drop(tmp_path / "chest.png")
    viewer.shows(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= width // zoom
    assert page.locator(".ov-stage").bounding_box()["width"] > 300
