"""Asks a language model which tools it wants: one turn with functions on offer. Nothing of what it says is shown."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage

from agent.engines.server import chunks
from agent.errors import EngineError
from overread.records import Usage
from overread.settings import Settings

TURN_TOKENS = 400
"""Tokens one turn may take; more is cut off, and a call that is cut off cannot be read."""

MOST_CALLS = 8
"""Calls of one turn that are looked at."""

MOST_CHARACTERS = 40_000
"""Characters a server may send in one turn."""


@dataclass(frozen=True)
class Wanted:
    """A call as the model wrote it: nothing of it has been checked. ``arguments`` should be a JSON text."""

    call_id: str
    name: str
    arguments: str


async def wanted_calls(
    model: BaseChatModel,
    messages: Sequence[BaseMessage],
    functions: Sequence[Mapping[str, Any]],
    settings: Settings,
    usage: Usage,
) -> list[Wanted]:
    """The calls of one turn, in order, at most ``MOST_CALLS``; none when the model wants none.

    Raises ``EngineError`` as ``agent.engines.server.chunks`` does, and for a server that does not come to an end.
    """
    bound = model.bind(tools=list(functions), tool_choice=settings.llm_tool_choice)
    ids: dict[int, str] = {}
    names: dict[int, str] = {}
    texts: dict[int, str] = {}
    size = 0
    async with aclosing(chunks(bound, messages, settings, usage)) as pieces:
        async for chunk in pieces:
            size += len(chunk.text)
            for part in chunk.tool_call_chunks:
                index = part["index"] if part["index"] is not None else len(names)
                ids[index] = ids.get(index) or part["id"] or ""
                names[index] = names.get(index, "") + (part["name"] or "")
                texts[index] = texts.get(index, "") + (part["args"] or "")
                size += len(part["name"] or "") + len(part["args"] or "")
            if size > MOST_CHARACTERS:
                raise EngineError("the language model asked for tools without end")
    return [
        Wanted(ids[index] or f"call-{n}", names[index], texts[index])
        for n, index in enumerate(sorted(names)[:MOST_CALLS], start=1)
    ]
