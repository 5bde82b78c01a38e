"""What is said in Ray's proxy, over ASGI applications that do what Ray and ours do. ``test_ray`` has the real ones."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import Receive, Scope, Send

from overread.settings import settings
from serve.chat.headers import KeepToItself
from serve.remote.front import Front, broken_off

App = Callable[[Scope, Receive, Send], Awaitable[None]]
CHUNK = {
    "id": "chatcmpl-7", "object": "chat.completion.chunk", "created": 5, "model": "overread",
    "choices": [{"index": 0, "delta": {"content": "x"}}],
    "overread": {"events": [{"type": "delta", "run_id": "run-7", "seq": 4, "t_ms": 20.0, "text": "x"}]},
}  # fmt: skip


async def get(app: App, path: str = "/v1/models", **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=Front(app), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return await client.get(path, headers=headers)


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [(503, 503, "busy"), (429, 429, "rate_limit_exceeded"), (404, 503, "unavailable"), (500, 503, "unavailable"),
     (408, 408, "timeout")],
)  # fmt: skip
async def test_rays_own_words_leave_in_openais_shape(given: int, status: int, code: str) -> None:
    answer = await get(PlainTextResponse("Zebulon's request was dropped", status_code=given))
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert ("retry-after" in answer.headers) == (status in (429, 503))
    assert "Zebulon" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_our_own_refusals_pass_as_they_are() -> None:
    ours = KeepToItself(JSONResponse({"error": {"code": "too_many_at_once"}}, 429, {"Retry-After": "7"}))
    answer = await get(ours)
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "7"
    assert answer.json()["error"]["code"] == "too_many_at_once"


async def test_nothing_and_an_exception_are_answered() -> None:
    async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
        pass

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("Zebulon")

    for app in (nothing, broken):
        answer = await get(app)
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "unavailable"


def streaming(*pieces: bytes, path_ends: bool) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"content-security-policy", b"x")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if path_ends:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app


def told(text: str) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


async def test_a_stream_that_is_broken_off_ends_with_an_error_event() -> None:
    line = b"data: " + json.dumps(CHUNK).encode() + b"\n\n"
    app = streaming(line, b": still at it\n\n", path_ends=False)
    first, last, failure, done = told((await get(app, "/v1/chat/completions")).text)
    (event,) = last["overread"]["events"]
    assert first == CHUNK
    assert (event["type"], event["run_id"], event["seq"]) == ("error", "run-7", 5)
    assert event["t_ms"] >= 20
    assert last["id"] == CHUNK["id"]
    assert failure["error"]["code"] == event["code"] == "unavailable"
    assert done == "[DONE]"


async def test_a_stream_that_ends_by_itself_is_left_alone() -> None:
    assert (
        await get(streaming(b"data: [DONE]\n\n", path_ends=True), "/v1/chat/completions")
    ).text == "data: [DONE]\n\n"


def test_a_stream_that_never_told_an_event_still_ends_well() -> None:
    last, _, done = told(broken_off(b"", 3.0).decode())
    assert last["overread"]["events"][0]["seq"] == 0
    assert done == "[DONE]"


async def test_requests_of_one_caller_have_one_session() -> None:
    async def session(scope: Scope, receive: Receive, send: Send) -> None:
        found = dict(scope["headers"])[b"x-session-id"].decode()
        await PlainTextResponse(found)(scope, receive, send)

    one, again = [(await get(session, Authorization="Bearer ovr_1")).text for _ in range(2)]
    other = (await get(session, Authorization="Bearer ovr_2")).text
    chosen = (await get(session, Authorization="Bearer ovr_2", **{"X-Session-Id": "mine"})).text
    assert one == again != other
    assert "ovr" not in one
    assert chosen == "mine"


async def test_a_language_model_beside_us_is_for_the_agent_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    app = PlainTextResponse("the model")
    monkeypatch.setenv("OVERREAD_LLM_API_KEY", "quixotic")
    settings.cache_clear()
    try:
        for path in ("/llm", "/llm/v1/models"):
            assert (await get(app, path)).status_code == 404
            assert (await get(app, path, Authorization="Bearer none")).json()["error"]["code"] == "not_found"
            assert (await get(app, path, Authorization="Bearer quixotic")).text == "the model"
        monkeypatch.delenv("OVERREAD_LLM_API_KEY")
        settings.cache_clear()
        assert (await get(app, "/llm", Authorization="Bearer none")).status_code == 404
    finally:
        monkeypatch.undo()
        settings.cache_clear()
