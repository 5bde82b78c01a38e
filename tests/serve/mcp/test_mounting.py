"""What leaves of a failed request over HTTP: our words for its code, whatever the SDK's were."""

import asyncio
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from serve.mcp.mounting import Answering
from serve.mcp.quiet import OWN

MARK = "Zebulon"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-40_000, 40_000) | st.text(max_size=5).map(lambda text: text + MARK),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3).map(MARK.__add__), inner, max_size=3)
    ),
    max_leaves=6,
)


def answered(status: int, body: bytes, pieces: int = 1) -> tuple[int, dict[str, str], bytes]:
    """What a client gets of a response that is sent in so many pieces."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(dict(message))

    async def run() -> None:
        answer = Answering(send, 5.0, asyncio.Event())
        headers = [(b"content-type", b"text/plain"), (b"x-echo", MARK.encode()), (b"allow", b"POST")]
        await answer.send({"type": "http.response.start", "status": status, "headers": headers})
        step = max(1, len(body) // pieces)
        cut = [body[at : at + step] for at in range(0, len(body), step)] or [b""]
        for number, piece in enumerate(cut, start=1):
            await answer.send({"type": "http.response.body", "body": piece, "more_body": number < len(cut)})

    asyncio.run(run())
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:])


@given(status=st.sampled_from([400, 404, 405, 413, 500, 503]), error=JSON, pieces=st.integers(1, 4))
def test_nothing_of_an_error_is_passed_on_but_its_code(status: int, error: Any, pieces: int) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "error": error}).encode()
    got, headers, told = answered(status, body, pieces)
    assert got == status
    assert MARK not in told.decode()
    assert MARK not in str(headers)
    assert headers["allow"] == "POST"
    assert int(headers["content-length"]) == len(told)
    assert json.loads(told)["error"]["message"]
    assert json.loads(told)["id"] == 7


@given(st.binary(max_size=40).map(lambda body: body + MARK.encode()))
def test_a_body_that_is_no_json_is_replaced(body: bytes) -> None:
    _, _, told = answered(400, body)
    assert MARK not in told.decode()


def test_our_own_words_and_what_is_no_failure_pass() -> None:
    own = json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": -32602, "message": "no such study", "data": OWN}})
    assert answered(400, own.encode())[2] == own.encode()
    assert answered(200, b"anything", 3)[2] == b"anything"


def test_the_versions_that_are_spoken_are_told() -> None:
    for asked, told in (("2031-01-01", "2031-01-01"), (MARK, "unknown")):
        error = {"code": -32022, "message": "m", "data": {"supported": ["2026-07-28"], "requested": asked}}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "error": error}).encode()
        data = json.loads(answered(400, body)[2])["error"]["data"]
        assert data == {"supported": ["2026-07-28"], "requested": told}
