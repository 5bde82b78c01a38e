"""The server engine against a real HTTP server that behaves well, or badly."""

import socket
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from agent.engines.server import served_model, server_model, stream_text
from agent.errors import EngineError
from overread.settings import Settings


def settings_for(url: str) -> Settings:
    return Settings(llm_base_url=url, llm_first_token_s=0.5, llm_stall_s=0.5)


async def written(url: str) -> str:
    settings = settings_for(url)
    model = server_model(settings, await served_model(settings))
    return "".join([piece async for piece in stream_text(model, [HumanMessage("hi")], settings, {})])


async def test_a_good_server_is_heard_piece_by_piece(llm_server: Any) -> None:
    llm_server.script = ["One ", "sentence [S1]."]
    assert await written(llm_server.url("good")) == "One sentence [S1]."
    asked = llm_server.requests[0]
    assert (asked["model"], asked["stream"], asked["temperature"]) == ("tiny", True, 0)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("fails", "answered 500"),
        ("nonsense", "failed|empty"),
        ("breaks-off", "failed|broke off"),
        ("never-starts", "too long"),
        ("stalls", "too long"),
        ("asks-for-a-tool", "asked for a tool"),
        ("lists-nonsense", "did not list"),
        ("lists-nothing", "serves no model"),
        ("empty", "failed|empty"),
    ],
)
async def test_a_bad_server_is_one_kind_of_error(llm_server: Any, behaviour: str, reason: str) -> None:
    llm_server.script = [] if behaviour == "empty" else ["some", " text"]
    with pytest.raises(EngineError, match=reason):
        await written(llm_server.url(behaviour))


async def test_a_server_that_is_down_is_the_same_error() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(EngineError, match="did not list"):
        await written(f"http://127.0.0.1:{port}/v1")


async def test_a_model_that_is_set_is_not_asked_for() -> None:
    assert await served_model(Settings(llm_base_url="http://127.0.0.1:9/v1", llm_model="mine")) == "mine"
