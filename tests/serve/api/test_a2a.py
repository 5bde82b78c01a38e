"""A2A by the SDK's own client, against a real server with two users."""

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
import skimage
from a2a.client import Client, ClientConfig, ClientFactory
from a2a.helpers.proto_helpers import get_data_parts, get_message_text, new_data_part
from a2a.types.a2a_pb2 import (
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    Message,
    Part,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    StreamResponse,
    SubscribeToTaskRequest,
    TaskState,
)
from a2a.utils.errors import A2AError, InvalidParamsError, TaskNotFoundError
from PIL import Image
from pydicom.data import get_testdata_file

from serve.answers import Answer

SAMPLES = Path(skimage.__file__).parent / "data"
PLANTED = "Zebulon Quixotry"
WORKING = TaskState.TASK_STATE_WORKING


async def connected(api: Any, key: str, **more: Any) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(headers=headers, timeout=200, trust_env=False) as http:
        yield await ClientFactory(ClientConfig(httpx_client=http, **more)).create_from_url(api.url)


@pytest.fixture
async def alice(api: Any) -> AsyncIterator[Client]:
    async for client in connected(api, api.alice):
        yield client


@pytest.fixture
async def bob(api: Any) -> AsyncIterator[Client]:
    async for client in connected(api, api.bob):
        yield client


def request(*parts: Part, at_once: bool = False, **ids: str) -> SendMessageRequest:
    message = Message(message_id="message-1", role=Role.ROLE_USER, parts=parts, **ids)
    return SendMessageRequest(message=message, configuration=SendMessageConfiguration(return_immediately=at_once))


async def send(client: Client, *parts: Part) -> list[StreamResponse]:
    return [one async for one in client.send_message(request(*parts))]


def file(name: str) -> Part:
    return Part(raw=(SAMPLES / name).read_bytes(), media_type="image/png", filename=f"{PLANTED}.png")


class Heard:
    """What a stream said, by its kinds."""

    def __init__(self, stream: list[StreamResponse]) -> None:
        statuses = [one.status_update.status for one in stream if one.HasField("status_update")]
        artifacts = [one.artifact_update.artifact for one in stream if one.HasField("artifact_update")]
        self.task = stream[0].task
        self.ended = statuses[-1].state
        self.said = [get_message_text(status.message) for status in statuses if status.HasField("message")]
        self.events = [data for status in statuses for data in get_data_parts(status.message.parts)]
        self.answer = "".join(part.text for one in artifacts if one.artifact_id == "answer" for part in one.parts)
        evidence = [get_data_parts(one.parts)[0] for one in artifacts if one.artifact_id == "evidence"]
        self.evidence = Answer.model_validate(evidence[0]) if evidence else None
        self.pictures = [one.parts[0].raw for one in artifacts if one.artifact_id.startswith("overlay-")]
        self.whole = "".join(str(one) for one in stream)


def test_the_card_says_what_it_does_and_asks_for_a_key(api: Any) -> None:
    card = httpx.get(f"{api.url}/.well-known/agent-card.json", trust_env=False).json()
    (interface,) = card["supportedInterfaces"]
    assert interface == {"url": f"{api.url}/a2a", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
    assert card["capabilities"]["streaming"] is True
    assert card["securitySchemes"]["key"]["httpAuthSecurityScheme"]["scheme"] == "Bearer"
    assert "key" in card["securityRequirements"][0]["schemes"]
    assert {skill["id"] for skill in card["skills"]} == {"ask", "report", "compare", "know"}
    assert httpx.post(f"{api.url}/a2a", json={}, trust_env=False).status_code == 401


async def test_an_image_is_asked_about_as_a_stream(alice: Client) -> None:
    heard = Heard(await send(alice, Part(text="What kind of image is this?"), file("retina.jpg")))
    assert heard.ended == TaskState.TASK_STATE_COMPLETED
    assert "fundus" in heard.answer
    assert heard.said[0].startswith("image read")
    assert [event["type"] for event in heard.events][:2] == ["study", "domain"]
    assert heard.evidence is not None
    assert heard.evidence.answer == heard.answer
    assert heard.evidence.domains[0].label == "fundus"
    assert heard.evidence.claims[0].evidence == ("D1",)
    (overlay,) = heard.pictures
    assert Image.open(io.BytesIO(overlay)).size[0] >= 1000
    kept = await alice.get_task(GetTaskRequest(id=heard.task.id))
    assert kept.status.state == TaskState.TASK_STATE_COMPLETED
    assert {one.artifact_id.partition("-")[0] for one in kept.artifacts} == {"answer", "evidence", "overlay"}


async def test_a_study_is_asked_about_and_no_identity_comes_out(api: Any, alice: Client, bob: Client) -> None:
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    dataset.PatientName = "Quixotry^Zebulon"
    out = io.BytesIO()
    dataset.save_as(out)
    with api.client(api.alice) as client:
        study = client.post("/v1/studies", files={"file": ("a.dcm", out.getvalue())}).json()["reference"]
    options = new_data_part({"images": [study], "context": {"age_band": "adult"}, "frame": 0})
    for parts in ([Part(text=study)], [Part(url=study)], [options]):
        heard = Heard(await send(alice, Part(text=f"What kind of image is this? It is of {PLANTED}."), *parts))
        assert heard.ended in (TaskState.TASK_STATE_COMPLETED, TaskState.TASK_STATE_REJECTED)
        assert heard.evidence is not None
        assert heard.evidence.studies[0].modality == "CT"
        kept = await alice.get_task(GetTaskRequest(id=heard.task.id))
        assert "Zebulon" not in heard.whole + str(kept)
        other = Heard(await send(bob, Part(text="What is this?"), *parts))
        assert other.ended == TaskState.TASK_STATE_FAILED
        assert other.said == ["no_such_study: no such study; upload it again, or list the ones that are there"]
    assert heard.evidence.studies[0].context.age_band == "adult"


async def test_a_refusal_is_said_as_one(alice: Client) -> None:
    heard = Heard(await send(alice, Part(text="Is there a pneumonia?"), file("chelsea.png")))
    assert heard.ended == TaskState.TASK_STATE_REJECTED
    assert heard.evidence is not None
    assert heard.evidence.refused
    assert heard.evidence.refusals[0].reason == "out_of_domain"
    assert heard.evidence.refusals[0].message in heard.said[-1]


async def test_a_file_that_cannot_be_read_fails_without_its_words(alice: Client) -> None:
    heard = Heard(await send(alice, Part(text="What is this?"), Part(raw=PLANTED.encode(), filename=PLANTED)))
    assert heard.ended == TaskState.TASK_STATE_FAILED
    assert heard.said[-1].startswith("unreadable_input: ")
    assert "Zebulon" not in heard.whole


async def test_an_answer_comes_whole_too(api: Any) -> None:
    async for client in connected(api, api.alice, streaming=False):
        (whole,) = await send(client, Part(text="How is a pneumothorax confirmed?"))
        assert whole.task.status.state == TaskState.TASK_STATE_COMPLETED
        assert whole.task.artifacts[0].parts[0].text


@pytest.mark.parametrize(
    "parts",
    [
        [Part(text="What is it?"), Part(url="https://example.org/Zebulon.png")],
        [Part(text="What is it?"), Part(url="file:///etc/Zebulon")],
        [Part(text="What is it?"), Part(url="study:../Zebulon")],
        [Part(raw=b"Zebulon")],
        [Part(text="What is it?"), new_data_part({"Zebulon": 1})],
        [Part(text="What is it?"), new_data_part({"images": "Zebulon"})],
        [Part(text="What is it?"), new_data_part({"prior": "Zebulon"})],
        [Part(text="What is it?"), *[Part(text="Zebulon")] * 70],
    ],
)
async def test_what_cannot_be_worked_on_is_told_in_our_words(alice: Client, parts: list[Part]) -> None:
    with pytest.raises(InvalidParamsError) as caught:
        await send(alice, *parts)
    assert "Zebulon" not in f"{caught.value!r}"
    assert len(str(caught.value)) > 20


@pytest.mark.parametrize(
    "body",
    [
        b'{"Zebulon', b'["Zebulon"]', {"jsonrpc": "Zebulon", "id": 1, "method": "SendMessage"},
        {"jsonrpc": "2.0", "id": 1, "method": "Zebulon"},
        {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": {"parts": "Zebulon"}}},
        {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": {"role": "Zebulon", "parts": 3}}},
        {"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {"id": "Zebulon"}},
        {"jsonrpc": "2.0", "id": 1, "method": "CancelTask", "params": {"id": "Zebulon"}},
        {"jsonrpc": "2.0", "id": 1, "method": "ListTasks", "params": {"pageToken": "Zebulon"}},
        {"jsonrpc": "2.0", "id": 1, "method": "CreateTaskPushNotificationConfig", "params": {"url": "http://Zebulon"}},
        {"jsonrpc": "2.0", "id": 1, "method": "SendStreamingMessage", "params": {"message": {
            "messageId": "1", "role": "ROLE_USER", "taskId": "Zebulon", "parts": [{"text": "What?"}]}}},
        {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": {
            "messageId": "Zebulon Q", "role": "ROLE_USER", "parts": [{"text": "What?"}]}}},
    ],
)  # fmt: skip
@pytest.mark.parametrize("version", ["1.0", "Zebulon", ""])
async def test_no_failure_repeats_what_was_sent(api: Any, body: Any, version: str) -> None:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    with api.client(api.alice) as client:
        answer = client.post("/a2a", content=sent, headers={"A2A-Version": version})
    assert answer.status_code == 200
    assert "Zebulon" not in answer.text
    assert answer.json()["error"]["message"]


async def test_a_task_is_nobody_elses(alice: Client, bob: Client) -> None:
    heard = Heard(await send(alice, Part(text="How is a pneumothorax confirmed?")))
    for ask in (bob.get_task(GetTaskRequest(id=heard.task.id)), bob.cancel_task(CancelTaskRequest(id=heard.task.id))):
        with pytest.raises(TaskNotFoundError):
            await ask
    with pytest.raises(A2AError):
        [_ async for _ in bob.subscribe(SubscribeToTaskRequest(id=heard.task.id))]
    with pytest.raises(TaskNotFoundError):
        [_ async for _ in bob.send_message(request(Part(text="And then?"), task_id=heard.task.id))]
    mine, others = [await one.list_tasks(ListTasksRequest()) for one in (alice, bob)]
    assert heard.task.id in [task.id for task in mine.tasks]
    assert heard.task.id not in [task.id for task in others.tasks]


async def test_a_task_is_cancelled(api: Any, alice: Client) -> None:
    stream = alice.send_message(request(Part(text="What is pneumonia? " * 300)))
    task, states = None, []
    async for one in stream:
        if one.HasField("task"):
            task = one.task
        if one.HasField("status_update"):
            states.append(one.status_update.status.state)
            if states == [WORKING]:
                assert task is not None
                told = await alice.cancel_task(CancelTaskRequest(id=task.id))
                assert told.status.state == TaskState.TASK_STATE_CANCELED
    assert states[-1] == TaskState.TASK_STATE_CANCELED
    api.wait_until("overread_runs_in_flight 0.0")
    api.wait_until("overread_requests_in_flight 0.0")


async def test_who_left_finds_the_task_again(api: Any, alice: Client) -> None:
    async for client in connected(api, api.alice, streaming=False, polling=True):
        asked = request(Part(text="What is pneumonia? " * 300), at_once=True)
        (begun,) = [one async for one in client.send_message(asked)]
        assert begun.task.status.state in (TaskState.TASK_STATE_SUBMITTED, WORKING)
        states = []
        async for one in alice.subscribe(SubscribeToTaskRequest(id=begun.task.id)):
            if one.HasField("task"):
                assert one.task.id == begun.task.id
                await client.cancel_task(CancelTaskRequest(id=begun.task.id))
            if one.HasField("status_update"):
                states.append(one.status_update.status.state)
        assert states[-1] == TaskState.TASK_STATE_CANCELED
        kept = await alice.get_task(GetTaskRequest(id=begun.task.id))
        assert kept.status.state == TaskState.TASK_STATE_CANCELED


def test_the_log_holds_nothing_that_was_sent(api: Any) -> None:
    told = api.log.read_text() + api.metrics()
    assert "Zebulon" not in told
    assert 'route="/a2a"' in told
