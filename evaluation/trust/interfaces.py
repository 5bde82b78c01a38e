"""Planted identity through what other programs speak with: the API, MCP, A2A and the chat page, of one real server, and
MCP on stdio, of another.
"""

import asyncio
import contextlib
import io
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evaluation.trust.bench import Bench
from evaluation.trust.commands import environment
from evaluation.trust.leaks import Planted, leaked
from evaluation.trust.outcome import Measured
from evaluation.trust.page_leaks import page_said
from overread.settings import Settings

START_S = 120.0
"""Seconds that a server may take to start."""

BOX = [40, 40, 200, 200]
"""Where a segmenter is pointed at in the planted picture, which is 256 pixels wide and high."""


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """All that is logged meanwhile, as our servers write it: whole messages of ours, of others that they spoke."""
    from serve.api.logs import OURS, JsonLines, worth_writing

    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    handler.addFilter(worth_writing)
    root, ours = logging.getLogger(), [logging.getLogger(name) for name in sorted(OURS)]
    before, silenced = [(one, one.level) for one in (root, *ours)], root.manager.disable
    logging.disable(logging.NOTSET)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for one in ours:
        one.setLevel(logging.INFO)
    try:
        yield stream
    finally:
        root.removeHandler(handler)
        for one, level in before:
            one.setLevel(level)
        logging.disable(silenced)


@contextmanager
def served(settings: Settings, folder: Path) -> Iterator[str]:
    """The one application on a free port of this machine, in a thread; gives its address."""
    import uvicorn

    from serve.api.application import build_app
    from serve.chat.server import quiet_gradio

    quiet_gradio(folder)
    config = uvicorn.Config(build_app(settings, folder), "127.0.0.1", 0, log_config=None, access_log=False,
                            timeout_graceful_shutdown=2)  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + START_S
    while not server.started and thread.is_alive() and time.monotonic() < end:
        time.sleep(0.05)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(START_S)


def interfaces(bench: Bench, planted: Planted, file: Path, folder: Path) -> list[Measured]:
    """Every interface of one server: what it answers, logs, and keeps on disk until and after deletion."""
    import httpx

    own = bench.settings.model_copy(update={"state": folder / "api"})
    private = folder / "private"
    private.mkdir()
    said: dict[str, str] = {}
    with (
        logged() as log,
        served(own, private) as url,
        httpx.Client(base_url=url, timeout=300, trust_env=False) as client,
    ):
        bench.step("the API")
        study = _api(client, planted, file, said)
        bench.step("MCP over HTTP")
        heard = asyncio.run(_mcp_http(url, planted, study))
        said |= {f"MCP over HTTP, {name}": text for name, text in heard.items()}
        bench.step("A2A")
        heard = asyncio.run(_a2a(url, planted, file.name, file.read_bytes()))
        said |= {f"A2A, {name}": text for name, text in heard.items()}
        bench.step("the chat page")
        told = page_said(client, planted, file) | _open(client, planted)
        said |= {f"chat page, {name}": text for name, text in told.items()}
        kept = planted.found_under(folder / "api", but=[folder / "api" / "studies"])
        deleted = client.delete(f"/v1/studies/{study}")
        after = planted.found_under(folder / "api") | planted.found_under(private)
    note = f"a deletion that was answered with {deleted.status_code}"
    return [
        *(leaked(name, planted, planted.found_in(text)) for name, text in said.items()),
        leaked("the server's logs", planted, planted.found_in(log.getvalue())),
        leaked("the server, on disk beside the study itself", planted, kept),
        leaked("the server, on disk when the study was deleted", planted, after, note),
    ]


def _api(client: Any, planted: Planted, file: Path, said: dict[str, str]) -> str:
    """OpenAI's API and the studies; gives the handle of the uploaded one."""
    with file.open("rb") as body:
        made = client.post("/v1/studies", files={"file": (file.name, body, "application/dicom")})
    said["API, upload of a study"] = made.text
    study = str(made.json().get("id", ""))
    url = {"type": "image_url", "image_url": {"url": f"study:{study}"}}
    content = [{"type": "text", "text": planted.question}, url]
    asked = {"model": "overread", "messages": [{"role": "user", "content": content}]}
    said["API, chat completion"] = client.post("/v1/chat/completions", json=asked).text
    said["API, chat completion, streamed"] = client.post("/v1/chat/completions", json={**asked, "stream": True}).text
    said["API, list of studies"] = client.get("/v1/studies").text + client.get(f"/v1/studies/{study}").text
    said["API, metrics"] = client.get("/metrics").text
    said["API, errors"] = (
        client.post("/v1/chat/completions", json={**asked, "model": planted.family}).text
        + client.get(f"/v1/studies/{planted.family}").text
        + client.post("/v1/chat/completions", content=f'{{"{planted.family}').text
    )
    return study


def _calls(planted: Planted, image: str) -> dict[str, dict[str, Any]]:
    """The tools of MCP that take an image or a text, with the planted person in every text."""
    about = planted.question
    return {
        "ask": {"question": about, "images": [image]},
        "analyze_image": {"image": image},
        "identify_domain": {"image": image},
        "segment": {"image": image, "box": BOX},
        "measure": {"image": image, "box": BOX},
        "find_similar_cases": {"image": image},
        "search_knowledge": {"query": about},
        "redact_text": {"text": about},
        "redact_dicom": {"image": image},
        "draft_report": {"image": image, "indication": about},
        "verify_claims": {"claims": [{"claim": about, "evidence": [about]}]},
    }


async def _called(client: Any, planted: Planted, image: str) -> dict[str, str]:
    """What the tools and the resources they name say, their progress, and their errors."""
    heard: list[str] = []

    async def progress(_done: float, _total: float | None, message: str | None) -> None:
        heard.append(message or "")

    said, links = {}, []
    for name, arguments in _calls(planted, image).items():
        result = await client.call_tool(name, arguments, progress_callback=progress)
        said[f"tool {name}"] = result.model_dump_json()
        links += [str(part.uri) for part in result.content if part.type == "resource_link"]
    fetched = []
    for link in dict.fromkeys(links):
        fetched.append((await client.read_resource(link)).model_dump_json())
    said["pictures and files of results"] = "\n".join([*links, *map(_decoded, fetched)])
    said["progress"] = "\n".join(heard)
    wrong = [
        {"image": planted.family}, {"image": f"study:{planted.family}"}, {planted.family: planted.given},
    ]  # fmt: skip
    errors = [str((await client.call_tool("identify_domain", given)).model_dump_json()) for given in wrong]
    for uri in (f"overread://{planted.family}", f"overread://results/{planted.family}/x.png"):
        try:
            errors.append((await client.read_resource(uri)).model_dump_json())
        except Exception as error:  # noqa: BLE001  whatever is raised, its words are what is looked at
            errors.append(str(error))
    said["errors"] = "\n".join(errors)
    return said


def _decoded(told: str) -> str:
    """The bytes of resources beside their JSON: in base64 nothing would be found."""
    import base64

    found = [told]
    for content in json.loads(told).get("contents", []):
        if content.get("blob"):
            found.append(base64.b64decode(content["blob"]).decode("latin-1"))
    return "\n".join(found)


async def _mcp_http(url: str, planted: Planted, study: str) -> dict[str, str]:
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    http = httpx2.AsyncClient(timeout=300, trust_env=False)
    async with Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client:
        return await _called(client, planted, f"study:{study}")


def mcp_on_stdio(bench: Bench, planted: Planted, file: Path, folder: Path) -> list[Measured]:
    """``overread mcp`` as a process that takes paths, by the SDK's client: results, and the bytes on its two pipes."""
    place = folder / "mcp"
    for name in ("state", "tmp"):
        (place / name).mkdir(parents=True)
    wire, errors = place / "wire", place / "errors"

    async def run() -> dict[str, str]:
        from mcp import Client
        from mcp.client.stdio import StdioServerParameters, stdio_client

        # All that the server writes is copied on its way to the client.
        command = [sys.executable, "-m", "serve.cli", "mcp"]
        parameters = StdioServerParameters(command="sh", args=["-c", '"$@" | tee "$WIRE"', "sh", *command],
                                           env=environment(bench, place) | {"WIRE": str(wire)})  # fmt: skip
        with errors.open("w") as heard:
            # A first start on a busy machine takes longer than a client waits that asks for the newest protocol.
            async with Client(stdio_client(parameters, heard), mode="legacy") as client:
                return await _called(client, planted, str(file))

    said = asyncio.run(run())
    sent = wire.read_bytes()
    return [
        *(leaked(f"MCP on stdio, {name}", planted, planted.found_in(text)) for name, text in said.items()),
        leaked("MCP on stdio, all bytes that the server sent", planted, planted.found_in(sent), f"{len(sent):,} bytes"),
        leaked("MCP on stdio, what it wrote to standard error", planted, planted.found_in(errors.read_bytes())),
        leaked("MCP on stdio, the state folder", planted, planted.found_under(place / "state")),
        leaked("MCP on stdio, temporary files left behind", planted, planted.found_under(place / "tmp")),
    ]


async def _a2a(url: str, planted: Planted, name: str, data: bytes) -> dict[str, str]:
    """A task with the file and the question, as a stream; the task as it is kept; and failures."""
    import httpx
    from a2a.client import ClientConfig, ClientFactory
    from a2a.types.a2a_pb2 import GetTaskRequest, ListTasksRequest, Message, Part, Role, SendMessageRequest

    said = {}
    async with httpx.AsyncClient(timeout=300, trust_env=False) as http:
        client = await ClientFactory(ClientConfig(httpx_client=http)).create_from_url(url)
        parts = [
            Part(text=planted.question),
            Part(raw=data, media_type="application/dicom", filename=name),
        ]
        message = Message(message_id="message-1", role=Role.ROLE_USER, parts=parts)
        stream = [one async for one in client.send_message(SendMessageRequest(message=message))]
        # The task that is told first holds what was sent, which is the sender's own; the rest is ours.
        raw = [one.SerializeToString().decode("latin-1") for one in stream]
        said["what a task says as it runs"] = "\n".join(raw)
        task = next(one.task.id for one in stream if one.HasField("task"))
        kept = await client.get_task(GetTaskRequest(id=task))
        listed = await client.list_tasks(ListTasksRequest())
        said["the task as it is kept"] = "\n".join(one.SerializeToString().decode("latin-1") for one in (kept, listed))
        wrong = [
            await http.post(f"{url}/a2a", json={"jsonrpc": "2.0", "id": 1, "method": planted.family, "params": {}}),
            await http.post(f"{url}/a2a", content=f'{{"{planted.family}"'),
        ]
        with contextlib.suppress(Exception):
            await client.get_task(GetTaskRequest(id=planted.family))
    said["errors"] = "\n".join(one.text for one in wrong)
    return said


def _open(client: Any, planted: Planted) -> dict[str, str]:
    """What the page answers to anybody who asks, after others have used the server."""
    get: Callable[[str], str] = lambda path: client.get(path).text  # noqa: E731
    paths = ("/", "/config", "/gradio_api/info")
    return {
        "what it is made of": "\n".join(map(get, paths)),
        "an address that is not there": client.get(f"/{planted.family}/{planted.given}").text,
    }
