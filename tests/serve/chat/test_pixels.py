"""The viewer's routes: what is masked stays masked, what is not there is told so, and nobody else gets any of it."""

import gzip
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import nibabel as nib
import numpy as np
import pytest
from fastapi import FastAPI
from PIL import Image

from agent.assistant import Assistant
from agent.opening import OpenedStudy, open_study
from agent.run import Shown
from overread.events import ToolResultEvent
from overread.records import Artifact, Finding, Measurement, Region
from serve.chat.planes import nifti_of
from serve.chat.session import Session, Turn
from tools.contract import Picture

ORIGIN = {"Origin": "http://testserver"}
FRAMES, ROWS, COLUMNS = 10, 12, 20


class Door:
    """One visitor's conversation with a volume in it, through the routes."""

    def __init__(self, client: httpx.AsyncClient, session: Session, opened: OpenedStudy) -> None:
        self.client, self.session, self.opened = client, session, opened
        self.base = f"/page/{session.key}"
        self.study = f"{self.base}/studies/{opened.handle}"

    async def frame(self, number: int, **headers: str) -> httpx.Response:
        return await self.client.get(f"{self.study}/frames/{number}", headers=headers)


def volume(path: Path) -> Path:
    values = np.arange(COLUMNS * ROWS * FRAMES, dtype=np.int16).reshape(COLUMNS, ROWS, FRAMES) - 1000
    image = nib.nifti1.Nifti1Image(values, np.diag([0.5, 0.7, 2, 1]))
    image.header.set_xyzt_units("mm")
    path.write_bytes(gzip.compress(image.to_bytes()))
    return path


@pytest.fixture
async def app(page_app: FastAPI) -> AsyncIterator[FastAPI]:
    page = page_app.state.page
    async with Assistant(page.settings) as assistant, page.opened(assistant):
        yield page_app


def visitor(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver", headers=ORIGIN)


@pytest.fixture
async def door(app: FastAPI, tmp_path: Path) -> AsyncIterator[Door]:
    async with visitor(app) as client:
        session = app.state.page.sessions.find((await client.get("/page")).json()["current"])
        opened = open_study(volume(tmp_path / "volume.nii.gz"), app.state.page.assistant.parts)
        session.shelf.put(opened, None, session.shelf.era)
        yield Door(client, session, opened)


def pixels(answer: httpx.Response) -> Any:
    facts = json.loads(answer.headers["X-Frame"])
    codes = np.frombuffer(answer.content, "<u2").reshape(facts["height"], facts["width"])
    return codes * facts["slope"] + facts["intercept"]


async def test_a_frame_holds_the_values_and_what_is_masked_is_not_in_it(door: Door) -> None:
    first = await door.frame(3)
    assert np.array_equal(pixels(first), door.opened.values(3))
    assert "private" in first.headers["cache-control"]
    again = await door.frame(3, **{"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert door.opened.content_hash not in first.headers["etag"]

    # Masked after it was served: another tag, other pixels; the place holds the least value there is.
    door.opened._study.mask_regions([(2, 1, 9, 5)])
    masked = await door.frame(3, **{"If-None-Match": first.headers["etag"]})
    assert masked.status_code == 200
    now, before = pixels(masked), pixels(first)
    assert np.ptp(now[1:5, 2:9]) == 0
    outside = np.ones_like(now, bool)
    outside[1:5, 2:9] = False
    assert np.array_equal(now[outside], before[outside])


async def test_what_is_not_there_is_told_so(door: Door) -> None:
    for number in (-1, FRAMES, 10**9):
        assert (await door.frame(number)).status_code == 404
    for address in ("studies/other/frames/0", "studies/other/volume.nii", "viewer/layers/other/A1.png"):
        assert (await door.client.get(f"{door.base}/{address}")).status_code == 404
    assert (await door.client.get("/page/other/viewer")).status_code == 404


async def test_nobody_else_gets_any_of_it(door: Door, app: FastAPI) -> None:
    async with visitor(app) as other:
        await other.get("/page")
        for address in (f"{door.base}/viewer", f"{door.study}/frames/0", f"{door.study}/volume.nii"):
            assert (await other.get(address)).status_code == 404
        for address in (f"{door.study}/outline", f"{door.study}/prepare"):
            assert (await other.post(address, json={"frame": 0})).status_code == 404


@pytest.mark.parametrize(
    "asked",
    [
        {"frame": 0, "box": [0, 0, COLUMNS + 1, ROWS]},
        {"frame": 0, "box": [5, 5, 5, 9]},
        {"frame": 0, "points": [{"x": COLUMNS, "y": 0}]},
        {"frame": 0, "points": [{"x": 1, "y": 1, "inside": False}]},
        {"frame": 0},
        {"frame": FRAMES, "box": [1, 1, 5, 5]},
    ],
)
async def test_a_prompt_that_cannot_be_meant_is_told_in_words(door: Door, asked: dict[str, Any]) -> None:
    answer = await door.client.post(f"{door.study}/outline", json=asked)
    assert answer.status_code == 400
    assert len(answer.json()["error"]["message"]) > 20


async def test_what_a_run_found_is_listed_with_its_place_and_served_in_the_stored_size(
    door: Door, app: FastAPI
) -> None:
    study_id = door.opened.event.study_id
    mask = np.zeros((ROWS, COLUMNS), bool)
    mask[2:6, 3:9] = True
    pictures = {
        "A1": Picture("A1", "mask", mask, "lung fields"),
        "A2": Picture("A2", "heatmap", np.linspace(0, 1, ROWS * COLUMNS, dtype=np.float32).reshape(ROWS, COLUMNS)),
    }
    app.state.page.assistant._keep(Shown(study_id, 4, door.opened.display(4), pictures=pictures), None)
    found = Finding(
        id="F1", label="nodule", probability=0.9, decision="present", region=Region(box=(3, 2, 9, 6), artifact="A2")
    )
    result = ToolResultEvent(
        study_id=study_id, frame=4, call_id="c", tool="t", status="ok", elapsed_ms=1,
        findings=(found, Finding(id="F2", label="mass", probability=0.1, decision="absent")),
        measurements=(Measurement(id="M1", name="area", value=24, unit="px²", method="pixels"),),
        artifacts=tuple(Artifact(id=name, kind=one.kind, href="x") for name, one in pictures.items()),
    )  # fmt: skip
    elsewhere = result.model_copy(update={"study_id": "other"})
    door.session.turns.append(Turn(1, "What?", 1, events=[result, elsewhere], state="done"))

    told = (await door.client.get(f"{door.base}/viewer")).json()
    assert [study["handle"] for study in told["studies"]] == [door.opened.handle]
    assert [(one["ref"], one["kind"], one["frame"]) for one in told["layers"]] == [
        ("A1", "mask", 4), ("A2", "heatmap", 4), ("F1", "box", 4),
    ]  # fmt: skip
    keys = {one["ref"]: one["key"] for one in told["layers"]}
    marks = {mark["ref"]: mark["layers"] for mark in told["marks"]}
    assert marks["F1"] == [keys["A2"], keys["F1"]]
    assert marks["F2"] == []
    assert marks["M1"] == [keys["A1"]]
    served = await door.client.get(told["layers"][0]["href"])
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(served.content))), mask * 255)


async def test_the_volume_of_the_planes_is_the_masked_one(door: Door) -> None:
    door.opened._study.mask_regions([(0, 0, 4, 4)])
    image = nib.nifti1.Nifti1Image.from_bytes(nifti_of(door.opened))
    stack = np.stack([door.opened.values(number) for number in range(FRAMES)], axis=-1)
    assert np.allclose(image.get_fdata()[:, ::-1].swapaxes(0, 1), stack, atol=0.5)
    assert np.allclose(image.header.get_zooms(), [0.5, 0.7, 2])


def test_the_scripts_are_in_the_package_and_fetch_nothing_from_elsewhere() -> None:
    folder = Path(__file__).parents[3] / "serve" / "chat" / "static"
    scripts = {path.name: path.read_text("utf-8") for path in folder.glob("*.js")}
    assert {"mount.js", "viewer.js", "frames.js", "window.js"} <= scripts.keys()
    assert all("://" not in text.replace("http://www.w3.org", "") for text in scripts.values())
    assert all(len(text.splitlines()) <= 350 for text in scripts.values())
