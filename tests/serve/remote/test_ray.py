"""The application on a real Ray: the same answers, and what happens when a process dies, is full, or must end.

The tests run in the order they stand in: the last one ends the server.
"""

import asyncio
import base64
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import skimage

from agent.assistant import Assistant
from agent.parts import Parts
from agent.request import Request
from overread.events import Event
from overread.records import Context
from overread.settings import Settings
from serve.keys import Keys

from .conftest import WAIT_S, RayServer

# Five processes load their models first. That is a minute on two idle cores, and many on busy ones.
pytestmark = pytest.mark.timeout(900)

SAMPLES = Path(skimage.__file__).parent / "data"
ASKED = "How is a pneumothorax confirmed?"


def body(text: str, image: str | None = None, **more: Any) -> dict[str, Any]:
    parts = [{"type": "text", "text": text}]
    if image:
        parts.append({"type": "image_url", "image_url": {"url": image}})  # type: ignore[dict-item]
    return {"model": "overread", "messages": [{"role": "user", "content": parts}], **more}


def data_uri(path: Path) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(path.read_bytes()).decode()}"


def told(lines: Iterator[str]) -> Iterator[Any]:
    for line in lines:
        if line.startswith("data: {"):
            yield json.loads(line.removeprefix("data: "))


def events_of(chunks: list[Any]) -> list[dict[str, Any]]:
    return [event for chunk in chunks for event in chunk.get("overread", {"events": []})["events"]]


def streamed(server: RayServer, asked: dict[str, Any], session: str = "one") -> list[Any]:
    with server.client(session) as client, client.stream(
        "POST", "/v1/chat/completions", json={**asked, "stream": True}
    ) as answer:  # fmt: skip
        assert answer.status_code == 200, answer.read()
        return list(told(answer.iter_lines()))


@pytest.fixture(scope="module")
def parts(cache: Path) -> Parts:
    """What answers in the tests' own process, read once."""
    return Parts(Settings(cache=cache))


async def here(settings: Settings, parts: Parts, request: Request) -> list[Event]:
    async with Assistant(settings, parts) as assistant:
        return [event async for event in assistant.ask(request)]


def same(ours: list[dict[str, Any]], theirs: list[Event]) -> None:
    """Whether two runs said the same, but for names of runs, times and the last digits of numbers."""
    left = [_settled(event) for event in ours]
    right = [_settled(event.model_dump(mode="json")) for event in theirs]
    assert [event["type"] for event in left] == [event["type"] for event in right]
    for one, other in zip(left, right, strict=True):
        assert one == _near(other)


def _settled(event: dict[str, Any]) -> dict[str, Any]:
    passing = ("run_id", "t_ms", "study_id", "elapsed_ms", "timings", "audit_id", "artifacts")
    return {key: value for key, value in event.items() if key not in passing}


def _near(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _near(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_near(part) for part in value]
    return pytest.approx(value, abs=1e-4) if isinstance(value, float) else value


async def test_a_question_is_answered_as_in_one_process(
    ray_server: RayServer, own_settings: Settings, parts: Parts
) -> None:
    chunks = await asyncio.to_thread(streamed, ray_server, body(ASKED))
    theirs = await here(own_settings, parts, Request(ASKED))
    same(events_of(chunks), theirs)
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == theirs[-1].answer  # type: ignore[union-attr]


@pytest.mark.parametrize("image", ["retina", "lungs"])
async def test_an_image_is_seen_as_in_one_process(
    ray_server: RayServer, own_settings: Settings, parts: Parts, request: pytest.FixtureRequest, image: str
) -> None:
    path, context = SAMPLES / "retina.jpg", {"age_band": "adult", "view": "PA"}
    if image == "lungs":
        path = request.getfixturevalue("shared_data") / "images/cxr_nih/00001248_003.jpg"
    asked = body("What does this show?", data_uri(path), overread={"context": context})
    chunks = await asyncio.to_thread(streamed, ray_server, asked)
    theirs = await here(
        own_settings, parts, Request("What does this show?", (path,), context=Context.model_validate(context))
    )
    same(events_of(chunks), theirs)
    assert any(event["type"] == "tool_result" and event["status"] == "ok" for event in events_of(chunks))


SESSIONS = [f"session-{n}" for n in range(16)]
"""So many that every replica has some of them."""


def test_processes_share_studies_and_keys(ray_server: RayServer) -> None:
    def statuses(path: str, key: str | None = None) -> set[int]:
        found = set()
        for session in SESSIONS:
            with ray_server.client(session, key) as client:
                found.add(client.get(path).status_code)
        return found

    with ray_server.client() as client:
        stored = client.post("/v1/studies", files={"file": (SAMPLES / "retina.jpg").read_bytes()}).json()
    study = f"/v1/studies/{stored['id']}"
    assert statuses(study) == {200}
    with ray_server.client("another") as client:
        answer = client.post("/v1/chat/completions", json=body("What is this?", stored["reference"]))
        assert "fundus" in answer.json()["choices"][0]["message"]["content"]
        # Where its picture is. A machine that is very busy may send a request elsewhere: then once more.
        assert any(client.get(f"{study}/artifacts/image.png").status_code == 200 for _ in range(20))
        assert client.delete(study).status_code == 200
    assert statuses(study) == {404}
    made, key = Keys(ray_server.state / "keys.json").add("bob")
    assert statuses("/v1/models", key) == {200}
    Keys(ray_server.state / "keys.json").remove(made.id)
    assert statuses("/v1/models", key) == {401}


def listening(pids: set[int]) -> set[tuple[str, int]]:
    """Where processes listen: (address, port); IPv6 is told as ``::`` or ``loopback``."""
    inodes = set()
    for pid in pids:
        try:
            links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
        except OSError:
            continue
        inodes |= {link[8:-1] for link in links if link.startswith("socket:[")}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] != "0A" or fields[9] not in inodes:
                continue
            address, port = fields[1].split(":")
            loopback = address.endswith("0100007F") or address == "0" * 24 + "01000000"
            found.add(("loopback" if loopback else "any", int(port, 16)))
    return found


def test_ray_is_reached_from_this_machine_alone_or_not_without_its_token(ray_server: RayServer) -> None:
    found = listening(ray_server.below())
    assert len(found) > 5
    beyond = {port for place, port in found if place != "loopback"}
    answering = {port for _, port in listening({p for name in NAMES for p in ray_server.replicas(name)})}
    assert beyond <= answering
    for port in beyond:  # how replicas call each other; Ray binds it everywhere
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary("/ray.serve.ASGIService/HandleRequest")
            with pytest.raises(grpc.RpcError) as refused:
                call(b"", timeout=20)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


NAMES = ("Ingress", "Networks", "Search", "Guards")


async def test_what_has_no_room_is_told_to_come_again(ray_server: RayServer) -> None:
    headers = ray_server.headers()
    async with httpx.AsyncClient(
        base_url=ray_server.url, headers=headers, timeout=WAIT_S, trust_env=False,
        limits=httpx.Limits(max_connections=100),
    ) as client:  # fmt: skip
        with ray_server.paused("Search"):
            asked = [asyncio.create_task(client.post("/v1/chat/completions", json=body(ASKED))) for _ in range(20)]
            await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        answers = await asyncio.gather(*asked)
    turned_away = [answer for answer in answers if answer.status_code == 503]
    for answer in turned_away:
        assert answer.headers["retry-after"] == "2"
        assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
        assert answer.json()["error"]["code"] == "busy"
    # There is room for eight, and three may wait; how many find it depends on how fast they come.
    answered = [answer.status_code for answer in answers if answer not in turned_away]
    assert answered == [200] * len(answered)
    assert 0 < len(answered) < 20


def test_a_run_goes_on_when_the_process_of_the_networks_dies(ray_server: RayServer) -> None:
    asked = body("What is this?", data_uri(SAMPLES / "retina.jpg"), stream=True)
    chunks: list[Any] = []
    with ray_server.paused("Networks") as pids, ray_server.client() as client, client.stream(
        "POST", "/v1/chat/completions", json=asked
    ) as answer:  # fmt: skip
        for chunk in told(answer.iter_lines()):
            chunks.append(chunk)
            if len(chunks) == 1:
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
    events = events_of(chunks)
    assert events[0]["type"] == "study"
    assert events[-1]["type"] == "done"
    assert [event["label"] for event in events if event["type"] == "domain"] == ["fundus"]


def test_a_stream_whose_process_dies_ends_with_an_error_and_the_next_is_answered(ray_server: RayServer) -> None:
    chunks: list[Any] = []
    asked = body(f"What is this? {ASKED}", data_uri(SAMPLES / "retina.jpg"), stream=True)
    with ray_server.paused("Search"), ray_server.client() as client, client.stream(
        "POST", "/v1/chat/completions", json=asked
    ) as answer:  # fmt: skip
        lines = answer.iter_lines()
        for chunk in told(lines):
            chunks.append(chunk)
            if len(chunks) == 1:
                killed = ray_server.answering()
                assert killed in ray_server.replicas("Ingress")
                os.kill(killed, signal.SIGKILL)
    *_, last, failure = chunks
    (event,) = last["overread"]["events"]
    assert event["type"] == "error"
    assert event["code"] == failure["error"]["code"] == "unavailable"
    seen = events_of(chunks)
    assert [one["seq"] for one in seen] == list(range(len(seen)))
    assert len({one["run_id"] for one in seen}) == 1
    begun = time.monotonic()
    after = events_of(streamed(ray_server, body(ASKED)))
    assert after[-1]["type"] == "done"
    assert time.monotonic() - begun < 60


def test_what_goes_on_is_ended_before_the_server_ends(ray_server: RayServer) -> None:
    processes = ray_server.below()
    chunks: list[Any] = []
    with ray_server.paused("Search") as paused, ray_server.client() as client, client.stream(
        "POST", "/v1/chat/completions", json=body(ASKED, stream=True)
    ) as answer:  # fmt: skip
        for chunk in told(answer.iter_lines()):
            chunks.append(chunk)
            if len(chunks) > 1:
                continue
            ray_server.process.send_signal(signal.SIGINT)
            while (late := client.get("/v1/models")).status_code == 200:
                time.sleep(0.05)
            assert late.status_code == 503
            assert late.json()["error"]["code"] == "unavailable"
            assert "retry-after" in late.headers
            for pid in paused:
                os.kill(pid, signal.SIGCONT)
    assert events_of(chunks)[-1]["type"] == "done"
    assert ray_server.process.wait(90) == 130
    assert not {pid for pid in processes if Path(f"/proc/{pid}").exists() and _title(pid).startswith("ray::")}
    assert not ray_server.folders()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(ray_server.url.rpartition(":")[2])))
    log = ray_server.log.read_text()
    assert ASKED not in log
    assert "Traceback" not in log


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    except OSError:
        return ""
