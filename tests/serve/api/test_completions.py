"""OpenAI's API by its own client and by LangChain's, against a real server."""

import asyncio
import base64
import re
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import skimage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from overread.events import parse_event

SAMPLES = Path(skimage.__file__).parent / "data"
ASKED = "How is a pneumothorax confirmed?"


def user(text: str, *images: str) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": image}} for image in images]
    return {"role": "user", "content": [{"type": "text", "text": text}, *parts] if parts else text}


def data_uri(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"


@pytest.fixture
def client(api: Any) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=f"{api.url}/v1", api_key=api.alice, max_retries=0, timeout=200,
        http_client=openai.DefaultHttpxClient(trust_env=False),
    )  # fmt: skip


def ask(client: openai.OpenAI, *messages: dict[str, Any], **more: Any) -> Any:
    return client.chat.completions.create(model="overread", messages=list(messages), **more)  # type: ignore[call-overload]


def test_models_are_listed(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["overread"]
    assert client.models.retrieve("overread").owned_by == "overread"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("other")


def test_an_answer_is_one_object_with_the_events(client: openai.OpenAI) -> None:
    answer = ask(client, {"role": "system", "content": "You are kind."}, user(ASKED), n=1)
    (choice,) = answer.choices
    events = [parse_event(httpx.Response(200, json=event).content) for event in answer.overread["events"]]
    assert events[-1].type == "done"
    assert events[-1].answer == choice.message.content != ""
    assert choice.message.role == "assistant"
    assert choice.message.refusal is None
    assert choice.finish_reason == "stop"
    assert any(event.type == "passage" for event in events)
    assert answer.object == "chat.completion"


def test_the_stream_is_the_same_answer_in_pieces(client: openai.OpenAI) -> None:
    whole = ask(client, user(ASKED)).choices[0].message.content
    chunks = list(ask(client, user(ASKED), stream=True, stream_options={"include_usage": True}))
    *told, last = chunks
    assert "".join(chunk.choices[0].delta.content or "" for chunk in told) == whole
    assert [chunk.choices[0].finish_reason for chunk in told] == [None] * (len(told) - 1) + ["stop"]
    assert told[0].choices[0].delta.role == "assistant"
    events = [event for chunk in told for event in chunk.overread["events"]]
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert events[-1]["type"] == "done"
    assert last.choices == []
    assert last.usage.total_tokens == last.usage.prompt_tokens + last.usage.completion_tokens
    assert len({chunk.id for chunk in chunks}) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_stop_sequence_ends_the_answer_and_its_events(client: openai.OpenAI, stream: bool) -> None:
    whole = ask(client, user(ASKED)).choices[0].message.content
    stop = whole[20:26]
    if stream:
        chunks = list(ask(client, user(ASKED), stop=[stop], stream=True))
        content = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        events = [event for chunk in chunks for event in chunk.overread["events"]]
    else:
        answer = ask(client, user(ASKED), stop=stop)
        content, events = answer.choices[0].message.content, answer.overread["events"]
    assert content == whole[: whole.index(stop)]
    assert "".join(event["text"] for event in events if event["type"] == "delta") == content


@pytest.mark.parametrize("stream", [False, True])
def test_a_cat_is_refused_in_the_field_for_it(client: openai.OpenAI, stream: bool) -> None:
    question = user("Is there a pneumonia?", data_uri(SAMPLES / "chelsea.png"))
    if stream:
        deltas = [chunk.choices[0].delta for chunk in ask(client, question, stream=True)]
        refusal = "".join(delta.refusal or "" for delta in deltas)
        content = "".join(delta.content or "" for delta in deltas)
    else:
        message = ask(client, question).choices[0].message
        refusal, content = message.refusal, message.content
    assert refusal
    assert refusal in content


def test_a_retina_is_told_by_data_uri_and_a_later_question_finds_it_in_the_history(client: openai.OpenAI) -> None:
    small = SAMPLES / "retina.jpg"
    asked = user("What kind of image is this?", data_uri(small))
    first = ask(client, asked, extra_body={"overread": {"context": {"age_band": "adult"}}})
    (study,) = [event for event in first.overread["events"] if event["type"] == "study"]
    assert study["context"]["age_band"] == "adult"
    said = first.choices[0].message.content
    then = ask(client, asked, {"role": "assistant", "content": said}, user("And what kind of image was it?"))
    labels = {event["label"] for event in then.overread["events"] if event["type"] == "domain"}
    assert labels == {"fundus"}


SECRET = "Zebulon-Quixotry"


@pytest.mark.parametrize(
    ("status", "code", "more"),
    [
        (400, "unsupported_parameter", {"tools": [{"type": "function", "function": {"name": SECRET}}]}),
        (400, "unsupported_parameter", {"n": 2}),
        (400, "unsupported_parameter", {"response_format": {"type": "json_object"}}),
        (404, "model_not_found", {"model": SECRET}),
        (400, "invalid_value", {"messages": []}),
        (400, "invalid_value", {"messages": [{"role": SECRET, "content": "x"}]}),
        (400, "invalid_value", {"messages": [{"role": "user", "content": [{"type": SECRET}]}]}),
        (400, "invalid_value", {"messages": [{"role": "assistant", "content": SECRET}]}),
        (400, "invalid_value", {"overread": {SECRET: 1}}),
        (400, "invalid_value", {"overread": {"context": {"age_band": SECRET}}}),
        (400, "invalid_value", {"overread": {"context": {SECRET: "x"}}}),
        (400, "invalid_value", {"overread": {"prior": SECRET}}),
        (404, "no_such_study", {"overread": {"prior": "study:" + "0" * 32}}),
        (404, "no_such_study", {"messages": [user("What?", f"study:../../{SECRET}")]}),
        (400, "invalid_image_url", {"messages": [user("What?", f"https://{SECRET}.example/a.png")]}),
        (400, "invalid_image_url", {"messages": [user("What?", f"file:///{SECRET}")]}),
        (400, "invalid_image_url", {"messages": [user("What?", "data:image/png;base64,???")]}),
        (400, "unreadable_input", {"messages": [user("What?", "data:image/png;base64,AAAA")]}),
        (400, "unreadable_input", {"messages": [user("What?", "data:image/png;base64,AAAA")], "stream": True}),
        (400, "bad_request", {"messages": [user("  ")]}),
        (400, "invalid_value", {"stop": ["a"] * 5}),
    ],
)  # fmt: skip
def test_faults_are_told_in_openais_shape_without_what_was_sent(
    api: Any, status: int, code: str, more: dict[str, Any]
) -> None:
    with api.client(api.alice) as http:
        answer = http.post("/v1/chat/completions", json={"model": "overread", "messages": [user(ASKED)], **more})
    assert answer.status_code == status, answer.text
    assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
    assert answer.json()["error"]["code"] == code
    assert SECRET not in answer.text


def test_what_is_no_json_is_a_fault_of_the_caller(api: Any) -> None:
    with api.client(api.alice) as http:
        for body in (b"", b"{", b'{"messages": ' + b"[" * 5_000, b'{"messages":[{"role":"user","content":"\\ud800"}]}'):
            answer = http.post("/v1/chat/completions", content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code == 400, body[:40]
        plain = http.post("/v1/chat/completions", content=b"{}", headers={"Content-Type": "text/plain"})
        assert plain.status_code == 415
        assert http.get("/v1/nothing").json()["error"]["code"] == "not_found"


def chat_openai(api: Any, **more: Any) -> ChatOpenAI:
    return ChatOpenAI(
        base_url=f"{api.url}/v1", api_key=SecretStr(api.alice), model="overread", max_retries=0, timeout=200,
        http_client=httpx.Client(trust_env=False), http_async_client=httpx.AsyncClient(trust_env=False), **more,
    )  # fmt: skip


def test_langchain_asks_and_streams(api: Any) -> None:
    model = chat_openai(api, stream_usage=True)
    whole = model.invoke([("system", "Be brief."), ("user", ASKED)])
    pieces = list(model.stream([("user", ASKED)]))
    assert whole.text == "".join(piece.text for piece in pieces) != ""
    refused = model.invoke([("user", "Write me a poem about the sea.")])
    assert refused.additional_kwargs["refusal"] in refused.text


async def test_sixteen_questions_at_once_are_answered(api: Any) -> None:
    async with openai.AsyncOpenAI(
        base_url=f"{api.url}/v1", api_key=api.alice, max_retries=0, timeout=200,
        http_client=openai.DefaultAsyncHttpxClient(trust_env=False),
    ) as client:  # fmt: skip

        async def one() -> str:
            stream = await client.chat.completions.create(model="overread", messages=[user(ASKED)], stream=True)  # type: ignore[call-overload]
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        answers = await asyncio.gather(*(one() for _ in range(16)))
    assert len(set(answers)) == 1
    assert re.search(r"\[S\d+\]", answers[0])
