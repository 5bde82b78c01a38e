"""The parts of an assistant, read once, and an assistant for each test."""

from collections.abc import AsyncIterator

import pytest

from agent.assistant import Assistant
from agent.parts import Parts
from agent.request import Request
from overread.events import ClaimEvent
from overread.settings import Settings


@pytest.fixture(scope="session")
def parts() -> Parts:
    """The parts of an assistant without a language model, read once."""
    return Parts(Settings(llm_base_url=None))


@pytest.fixture
async def assistant(own_settings: Settings, parts: Parts) -> AsyncIterator[Assistant]:
    """An assistant with a state of its own."""
    async with Assistant(own_settings, parts) as made:
        yield made


@pytest.fixture
async def quotes(assistant: Assistant) -> list[str]:
    """Three sentences of the passages that answer a question of knowledge, each with its id."""
    events = [event async for event in assistant.ask(Request("What is pneumonia, and how is it confirmed?"))]
    return [event.text for event in events if isinstance(event, ClaimEvent) and event.verdict == "supported"][:3]
