"""What is outlined in a run: a box the question names, and findings that are present."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agent.question import boxes_in
from agent.router import MOST_OUTLINES, outlines
from agent.state import SeenFinding, SeenImage
from overread.cards import CardFile, Label, ModelCard, Weights
from overread.records import Context, Finding, Region
from tools.contract import Picture
from tools.segmentation.predictor import Segmenter

IMAGE = SeenImage(
    id="D1", study_id="s", frame=0, modality=None, domain="xray/chest", probability=0.9, context=Context()
)


@pytest.fixture
def segmenter(tmp_path: Path) -> Segmenter:
    """A network that is never loaded: planning needs its card alone."""
    card = ModelCard(
        name="small",
        version="1",
        title="A small one",
        task="segmentation",
        domains=(),
        architecture="sam-starter",
        input={"size": 64},
        labels=(Label(name="object"),),
        training=(),
        weights=Weights(file="weights.safetensors", sha256="0" * 64, licence="Apache-2.0"),
        limits=(),
    )
    return Segmenter(CardFile(card=card, folder=tmp_path))


@pytest.mark.parametrize(
    ("question", "boxes"),
    [
        ("Outline the lesion in the box 120,80,260,210.", [(120, 80, 260, 210)]),
        ("How large is it? Box: 1, 2, 30, 40", [(1, 2, 30, 40)]),
        ("box 1,2,30,40 and box 5,6,70,80, again box 1,2,30,40", [(1, 2, 30, 40), (5, 6, 70, 80)]),
        ("box 30,2,1,40", []),
        ("box 1,2,3", []),
        ("He was in a box of 4, 5, 6 and 7 years", []),
        ("There are 120,80,260,210 of them", []),
    ],
)
def test_a_box_is_read_from_a_question(question: str, boxes: list[tuple[int, ...]]) -> None:
    assert boxes_in(question) == boxes


def seen(number: int, decision: str = "present", artifact: str | None = "A1", image: str = "D1") -> SeenFinding:
    region = Region(box=(1, 2, 9, 9), artifact=artifact)
    finding = Finding(id=f"F{number}", label="x", probability=number / 10, decision=decision, region=region)  # type: ignore[arg-type]
    return SeenFinding(image=image, tool="t", title="T", finding=finding)


def heat() -> Picture:
    pixels = np.zeros((30, 30), dtype=np.float32)
    pixels[10:20, 12:22] = 0.8
    pixels[15, 17] = 1
    return Picture("A1", "heatmap", pixels)


def test_a_finding_that_is_present_is_outlined_at_its_heat(segmenter: Segmenter) -> None:
    (call,) = outlines("Is it ill?", [IMAGE], [seen(1)], {"A1": heat()}, segmenter)
    assert call.args == {"finding": "F1", "box": (12, 10, 22, 20), "points": [(17, 15)]}
    assert call.images == (IMAGE,)


def test_without_a_heatmap_its_box_is_the_prompt(segmenter: Segmenter) -> None:
    (call,) = outlines("Is it ill?", [IMAGE], [seen(1, artifact=None)], {}, segmenter)
    assert call.args["box"] == (1, 2, 9, 9)


@pytest.mark.parametrize("decision", ["absent", "indeterminate"])
def test_what_is_not_present_is_not_outlined(segmenter: Segmenter, decision: str) -> None:
    assert outlines("Is it ill?", [IMAGE], [seen(1, decision)], {"A1": heat()}, segmenter) == []


def test_a_finding_of_another_image_is_not_outlined(segmenter: Segmenter) -> None:
    assert outlines("Is it ill?", [IMAGE], [seen(1, image="D2")], {"A1": heat()}, segmenter) == []


def test_the_likeliest_few_are_outlined(segmenter: Segmenter) -> None:
    calls = outlines("?", [IMAGE], [seen(n) for n in range(1, 8)], {"A1": heat()}, segmenter)
    assert [call.args["finding"] for call in calls] == ["F7", "F6", "F5"][:MOST_OUTLINES]


async def test_a_run_outlines_the_box_of_its_question(tmp_path: Path) -> None:
    from skimage import data

    from agent.assistant import Assistant
    from agent.request import Request
    from overread.cards import find_cards
    from overread.events import ToolResultEvent, ToolStartEvent
    from overread.settings import Settings

    settings = Settings(state=tmp_path / "state", cache=tmp_path / "cache")
    if "sam-starter" not in find_cards(settings):
        pytest.skip("the starter SAM has no card here; run: python -m training.sam")
    path = tmp_path / "retina.png"
    Image.fromarray(data.retina()).save(path)
    question = "Outline the optic disc in the box 740,480,980,720 and measure it. And box 9000,0,9100,50?"
    async with Assistant(settings) as assistant:
        events = [event async for event in assistant.ask(Request(question, (path,)))]
    starts = [event for event in events if isinstance(event, ToolStartEvent) and event.tool == "sam-starter"]
    good, bad = [event for event in events if isinstance(event, ToolResultEvent) and event.tool == "sam-starter"]
    assert [event.args["box"] for event in starts] == [[740, 480, 980, 720], [9000, 0, 9100, 50]]
    assert good.status == "ok"
    assert good.model is not None
    assert {artifact.kind for artifact in good.artifacts} == {"mask", "uncertainty"}
    assert bad.status == "failed"
    assert "outside" in (bad.reason or "") or "must lie in the image" in (bad.reason or "")
