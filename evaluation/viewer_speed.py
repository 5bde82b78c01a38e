"""How smoothly the chat page's viewer goes through a volume, and how soon a prompt is answered, in a real browser.

    python -m evaluation.viewer_speed

starts ``overread chat``, drops a drawn CT series of 200 slices of 512 x 512 pixels, and holds the arrow key. Chromium
is looked for on the machine; Playwright comes with the development dependencies.
"""

import io
import json
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SLICES, SIDE = 200, 512
REPEAT_HZ = 30
"""How often a held key repeats."""

WAIT_MS = 180_000
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]

WATCH = """() => {
  const stage = document.querySelector(".ov-stage"), shown = [], drawn = [];
  new MutationObserver(() => {
    if (shown.at(-1)?.[0] !== stage.dataset.frame) shown.push([stage.dataset.frame, performance.now()]);
  }).observe(stage, { attributes: true, attributeFilter: ["data-frame"] });
  new MutationObserver(() => drawn.push(Number(stage.dataset.milliseconds)))
    .observe(stage, { attributes: true, attributeFilter: ["data-milliseconds"] });
  window.told = () => {
    const gaps = shown.slice(1).map((one, index) => one[1] - shown[index][1]);
    drawn.sort((a, b) => a - b);
    return {
      slices: shown.length, frames_a_second: 1000 * gaps.length / gaps.reduce((sum, gap) => sum + gap, 0),
      longest_gap_ms: Math.max(...gaps), drawing_ms: drawn[drawn.length >> 1], slowest_drawing_ms: drawn.at(-1),
    };
  };
}"""
STEP_EVERY_FRAME = """(steps) => new Promise((done) => {
  const stage = document.querySelector(".ov-stage");
  const step = () => {
    stage.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true }));
    if (--steps > 0) requestAnimationFrame(step);
    else setTimeout(done, 1000);
  };
  requestAnimationFrame(step);
})"""


def drawn_series(path: Path, slices: int, side: int, spacing_mm: float, values: Callable[[int], NDArray[Any]]) -> None:
    """A CT series as a zip of DICOM files. ``values`` gives the Hounsfield units of a slice, ``(side, side)``."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    study, series = generate_uid(), generate_uid()
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(slices):
            header = Dataset()
            header.file_meta = FileMetaDataset()
            header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = CTImageStorage
            header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = generate_uid()
            header.StudyInstanceUID, header.SeriesInstanceUID, header.InstanceNumber = study, series, number + 1
            header.Modality, header.PatientName, header.PatientID = "CT", "DOE^JANE", "4711"
            header.Rows = header.Columns = side
            header.PixelSpacing, header.ImageOrientationPatient = [spacing_mm, spacing_mm], [1, 0, 0, 0, 1, 0]
            header.ImagePositionPatient = [0, 0, 2 * number]
            header.RescaleSlope, header.RescaleIntercept = 1, -1024
            header.BitsAllocated, header.BitsStored, header.HighBit = 16, 12, 11
            header.PixelRepresentation, header.SamplesPerPixel = 0, 1
            header.PhotometricInterpretation = "MONOCHROME2"
            header.PixelData = (np.clip(np.rint(values(number)), -1024, 3071) + 1024).astype("<u2").tobytes()
            buffer = io.BytesIO()
            header.save_as(buffer, enforce_file_format=True)
            archive.writestr(f"{number}.dcm", buffer.getvalue())


def _chest(number: int) -> NDArray[np.float64]:
    down, across = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    far = (number - SLICES / 2) / (SLICES / 2)
    values = np.where((across / 0.8) ** 2 + (down / 0.6) ** 2 < 1, 40.0, -1000.0)
    for middle in (-0.38, 0.38):
        values[((across - middle) / 0.27) ** 2 + (down / 0.42) ** 2 < 1 - 0.8 * far**2] = -820
    return values + np.random.default_rng(number).normal(0, 12, values.shape)


def measure(page: Any, folder: Path) -> dict[str, Any]:
    """The figures of an open page of the chat."""
    drawn_series(folder / "series.zip", SLICES, SIDE, 0.7, _chest)
    begun = time.monotonic()
    page.set_input_files("[data-input=files]", str(folder / "series.zip"))
    page.wait_for_selector(f'.ov-stage[data-frame="{SLICES // 2}"]', timeout=WAIT_MS)
    told: dict[str, Any] = {"opened_s": round(time.monotonic() - begun, 2)}
    for name in ("first pass", "again"):
        page.focus(".ov-stage")
        page.keyboard.press("Home")
        page.wait_for_selector('.ov-stage[data-frame="0"]', timeout=WAIT_MS)
        page.evaluate(WATCH)
        for _ in range(SLICES - 1):
            page.keyboard.down("ArrowDown")
            time.sleep(1 / REPEAT_HZ)
        page.keyboard.up("ArrowDown")
        page.wait_for_selector(f'.ov-stage[data-frame="{SLICES - 1}"]', timeout=WAIT_MS)
        told[f"key held, {name}"] = page.evaluate("window.told()")
    page.keyboard.press("Home")
    page.wait_for_selector('.ov-stage[data-frame="0"]', timeout=WAIT_MS)
    page.evaluate(WATCH)
    page.evaluate(STEP_EVERY_FRAME, SLICES - 1)
    told["a step every frame of the screen"] = page.evaluate("window.told()")
    told["box to outline, ms"] = [_boxed(page, number) for number in range(6)]
    return told


def _boxed(page: Any, number: int) -> int:
    """Milliseconds from the end of a box to its outline on the image. The first also waits for the network."""
    edge = page.locator(".ov-stage").bounding_box()
    page.keyboard.press("b")
    page.mouse.move(edge["x"] + edge["width"] * (0.2 + 0.01 * number), edge["y"] + edge["height"] * 0.35)
    page.mouse.down()
    page.mouse.move(edge["x"] + edge["width"] * 0.48, edge["y"] + edge["height"] * 0.66)
    with page.expect_response("**/outline", timeout=WAIT_MS):
        page.mouse.up()
    page.wait_for_function("document.querySelector('[data-part=outline]').dataset.milliseconds", timeout=WAIT_MS)
    took = int(page.get_attribute("[data-part=outline]", "data-milliseconds"))
    page.keyboard.press("Delete")
    return took


def main() -> None:
    """Measure, and print the figures as JSON."""
    from playwright.sync_api import sync_playwright

    command = [sys.executable, "-m", "serve.cli", "chat", "--port", "0"]
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
    ):
        try:
            line = server.stdout.readline() if server.stdout else ""
            with sync_playwright() as running:
                page = running.chromium.launch(executable_path=browser, args=ARGUMENTS).new_page()
                page.goto("http://" + line.split("http://")[1].split()[0])
                page.wait_for_selector("html[data-conversation]", timeout=WAIT_MS)
                told = measure(page, Path(folder))
        finally:
            server.terminate()
    print(json.dumps(told, indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
