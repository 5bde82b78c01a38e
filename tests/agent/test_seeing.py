"""A language model that sees: masked pixels only, and what it says of them needs a tool's evidence all the same."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from agent.assistant import Assistant
from agent.parts import Parts
from agent.request import Request
from overread.events import ClaimEvent, DoneEvent, Event, StudyEvent, WithheldEvent
from overread.records import Context
from overread.settings import Settings

NAME = "HELMERSEN TORVALD"


async def ask(own: Settings, parts: Parts, url: str, image: Path, **chosen: Any) -> list[Event]:
    told = {"llm_base_url": url, "llm_first_token_s": 30.0, "llm_stall_s": 30.0, **chosen}
    async with Assistant(own.model_copy(update=told), parts) as assistant:
        child = Context(age_band="child")
        return [event async for event in assistant.ask(Request("Is there a pneumonia?", (image,), context=child))]


def pictures(request: dict[str, Any]) -> list[np.ndarray[Any, Any]]:
    found = []
    for message in request["messages"]:
        for block in message["content"] if isinstance(message["content"], list) else []:
            if block["type"] == "image_url":
                data = base64.b64decode(block["image_url"]["url"].partition(",")[2])
                with Image.open(io.BytesIO(data)) as opened:
                    assert opened.info == {}
                    found.append(np.asarray(opened.convert("L")))
    return found


@pytest.fixture
def labelled(stack: Path, tmp_path: Path) -> Path:
    """A chest X-ray with a name burned into a corner."""
    with Image.open(stack) as pages:
        pages.seek(6)
        picture = pages.convert("L").resize((896, 896))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 560, 60), fill=0)
    draw.text((10, 10), NAME, fill=255, font=ImageFont.load_default(36))
    picture.save(tmp_path / "labelled.png")
    return tmp_path / "labelled.png"


async def test_it_sees_nothing_unless_told(llm_server: Any, own_settings: Settings, parts: Parts, stack: Path) -> None:
    await ask(own_settings, parts, llm_server.url("good"), stack)
    assert llm_server.requests
    assert not any(pictures(request) for request in llm_server.requests)


async def test_it_sees_masked_pixels_only(
    llm_server: Any, own_settings: Settings, parts: Parts, labelled: Path
) -> None:
    events = await ask(own_settings, parts, llm_server.url("good"), labelled, llm_images=1)
    study = next(event for event in events if isinstance(event, StudyEvent))
    assert study.privacy.regions_masked
    offered, written = llm_server.offers()[0], llm_server.written()[0]
    for (seen,) in (pictures(offered), pictures(written)):
        with Image.open(labelled) as opened:
            given = np.asarray(opened)
        assert seen.shape == given.shape
        assert given[:60, :560].max() == 255
        assert seen[12:44, 12:380].std() < 5  # one colour where the name was
        assert (seen[200:] == given[200:]).all()


@pytest.mark.parametrize(
    "said",
    [
        "The picture shows a large mass in the left lower lobe.",
        "There is a pneumothorax [D1].",
        "I see a fracture of the fifth rib in this image [D1].",
        "The heart is enlarged, as the image shows.",
    ],
)
async def test_what_it_says_of_the_picture_without_a_tool_is_withheld(
    llm_server: Any, own_settings: Settings, parts: Parts, stack: Path, said: str
) -> None:
    llm_server.script = [said]
    llm_server.again = []
    events = await ask(own_settings, parts, llm_server.url("good"), stack, llm_images=1)
    claims = [event for event in events if isinstance(event, ClaimEvent) and event.text == said]
    stopped = {event.claim_id for event in events if isinstance(event, WithheldEvent)}
    assert claims
    assert all(claim.claim_id in stopped for claim in claims)
    done = events[-1]
    assert isinstance(done, DoneEvent)
    assert said not in done.answer
