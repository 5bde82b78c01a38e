"""A run that fails after its first event: the failure comes as a chunk of the stream, in OpenAI's shape."""

import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

from overread.events import DeltaEvent, ErrorEvent, Event
from serve.api.completions import _chunks
from serve.api.reply import Reply
from serve.api.running import Running


async def failing() -> AsyncGenerator[Event, None]:
    yield DeltaEvent(text="Some", run_id="run-1", seq=0, t_ms=1)
    yield ErrorEvent(code="timeout", message="the answer took too long; ask again", run_id="run-1", seq=1, t_ms=2)


async def test_a_late_failure_is_a_chunk_and_then_the_end() -> None:
    async with AsyncExitStack() as stack:
        run = await stack.enter_async_context(Running(failing()))
        lines = [line async for line in _chunks(await run.next(), run, Reply(()), include_usage=True)]
    *told, failed, end = [line.removeprefix(b"data: ").strip() for line in lines]
    assert json.loads(told[0])["choices"][0]["delta"]["content"] == "Some"
    assert json.loads(failed) == {
        "error": {
            "message": "the answer took too long; ask again",
            "type": "server_error",
            "param": None,
            "code": "timeout",
        }
    }
    assert end == b"[DONE]"
    assert all(json.loads(line)["choices"][0]["finish_reason"] is None for line in told)
