"""One question and one image, asked at the start, so that the first user does not wait for what is loaded by asking."""

import tempfile
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agent.errors import AgentError
from agent.parts import Parts
from agent.request import Request
from overread.events import DomainEvent, DoneEvent, Event, PassageEvent
from overread.records import Context
from overread.settings import Settings

if TYPE_CHECKING:
    from agent.assistant import Assistant

SIDE = 224
QUESTION = "What is pneumonia?"


async def rehearse(settings: Settings, parts: Parts) -> None:
    """Ask through the real assistant. Nothing of it is logged, kept or counted, and no language model server is asked.

    Raises ``AgentError`` when a question of knowledge is not answered from a source, or an image is not looked at.
    """
    from agent.assistant import Assistant

    own = settings.model_copy(update={"audit": False, "llm_base_url": None})
    async with Assistant(own, parts) as assistant:
        if not any(isinstance(event, PassageEvent) for event in await _ask(assistant, Request(QUESTION))):
            raise AgentError("a question asked for practice found no source; run overread doctor")
        with tempfile.TemporaryDirectory(prefix="overread-rehearsal-") as folder:
            path = Path(folder) / "drawn.png"
            _write(path)
            asked = Request("Is there a pneumonia?", (path,), context=Context(age_band="child", view="AP"))
            if not any(isinstance(event, DomainEvent) for event in await _ask(assistant, asked)):
                raise AgentError("an image shown for practice was not looked at; run overread doctor")


async def _ask(assistant: "Assistant", request: Request) -> list[Event]:
    async with aclosing(assistant.ask(request)) as events:
        told = [event async for event in events]
    if not told or not isinstance(told[-1], DoneEvent):
        raise AgentError("a question asked for practice was not answered; run overread doctor")
    return told


def _write(path: Path) -> None:
    from PIL import Image

    Image.fromarray(drawn_chest()).save(path)


def drawn_chest(side: int = SIDE) -> NDArray[np.uint8]:
    """Two dark lungs, a bright spine, a heart and ribs: uint8 ``(side, side)``. Near enough to be examined."""
    down, across = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    image = np.full((side, side), 170.0)
    for middle in (-0.42, 0.42):
        image -= 120 * np.exp(-(((across - middle) / 0.28) ** 4 + ((down + 0.05) / 0.6) ** 4))
    image += 60 * np.exp(-((across / 0.1) ** 2))
    image += 70 * np.exp(-(((across - 0.12) / 0.3) ** 2 + ((down - 0.35) / 0.3) ** 2))
    for rib in np.linspace(-0.6, 0.6, 9):
        image += 18 * np.exp(-(((down - rib - 0.25 * across**2) / 0.02) ** 2))
    drawn: NDArray[np.uint8] = (image * (np.abs(across) < 0.95)).clip(0, 255).astype(np.uint8)
    return drawn
