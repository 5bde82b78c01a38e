"""``overread mcp`` as a process of its own, by the SDK's client and by hand."""

import base64
import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
import skimage
from anyio.from_thread import start_blocking_portal
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from pydicom.data import get_testdata_file

RETINA = Path(skimage.__file__).parent / "data/retina.jpg"
COMMAND = [sys.executable, "-m", "serve.cli", "mcp"]
HELLO = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
    "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}}  # fmt: skip
Call = Callable[..., Any]


@pytest.fixture(scope="module")
def own_environment(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> dict[str, str]:
    import os

    kept = {name: value for name, value in os.environ.items() if not name.startswith("OVERREAD_")}
    folder = tmp_path_factory.mktemp("stdio")
    return kept | {"OVERREAD_STATE": str(folder / "state"), "OVERREAD_CACHE": str(cache), "TMPDIR": str(folder)}


@pytest.fixture(scope="module")
def call(own_environment: dict[str, str]) -> Iterator[Call]:
    parameters = StdioServerParameters(command=COMMAND[0], args=COMMAND[1:], env=own_environment)
    # The first start on a busy machine may take longer than the client waits when it asks for the newest protocol.
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Client(parameters, mode="legacy")) as client,
    ):

        def called(tool: str, **arguments: Any) -> Any:
            async def run() -> Any:
                progress: list[str] = []

                async def heard(done: float, total: float | None, message: str | None) -> None:
                    progress.append(message or "")

                if tool == "read":
                    return await client.read_resource(arguments["uri"])
                return await client.call_tool(tool, arguments, progress_callback=heard), progress

            return portal.call(run)

        yield called


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A CT slice of a patient, under a file name with the patient's name in it."""
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    dataset.PatientName = "Quixotry^Zebulon"
    path = tmp_path / "Quixotry_Zebulon.dcm"
    dataset.save_as(path)
    return path


def test_a_file_is_asked_about_by_its_path(call: Call) -> None:
    result, progress = call("ask", question="What kind of image is this?", images=[str(RETINA)])
    assert not result.is_error
    assert "fundus" in result.structured_content["answer"]
    assert progress[0].startswith("image read")
    links = [block.uri for block in result.content if block.type == "resource_link"]
    (picture,) = call("read", uri=links[0]).contents
    assert base64.b64decode(picture.blob).startswith(b"\x89PNG")


def test_a_clean_copy_is_written_where_nothing_is(call: Call, film: Path, tmp_path: Path) -> None:
    before, out = film.read_bytes(), tmp_path / "clean.dcm"
    result, _ = call("redact_dicom", image=str(film), output=str(out))
    told = result.structured_content
    assert (told["written"], told["file"], told["bytes"]) == (True, None, out.stat().st_size)
    assert b"Zebulon" not in out.read_bytes()
    assert film.read_bytes() == before
    for taken in (out, film, tmp_path / "no folder/clean.dcm"):
        refused, _ = call("redact_dicom", image=str(film), output=str(taken))
        assert refused.is_error
        assert "Zebulon" not in refused.content[0].text
    assert film.read_bytes() == before

    result, _ = call("redact_dicom", image=str(film))
    (clean,) = call("read", uri=result.structured_content["file"]).contents
    assert pydicom.dcmread(io.BytesIO(base64.b64decode(clean.blob))).PatientName != "Quixotry^Zebulon"


def test_what_cannot_be_read_is_told_without_its_name(call: Call, tmp_path: Path) -> None:
    (tmp_path / "Zebulon.txt").write_text("Zebulon Quixotry")
    for named in (tmp_path / "Zebulon.txt", tmp_path / "Zebulon.png", "https://example.org/Zebulon.png"):
        for tool in ("identify_domain", "analyze_image", "redact_dicom"):
            result, _ = call(tool, image=str(named))
            assert result.is_error
            assert "Zebulon" not in result.content[0].text


def start(environment: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def say(process: "subprocess.Popen[str]", message: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()


def test_nothing_but_the_protocol_is_on_standard_output(own_environment: dict[str, str]) -> None:
    process = start(own_environment)
    say(process, HELLO)
    say(process, {"jsonrpc": "2.0", "method": "notifications/initialized"})
    say(process, {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {
        "name": "redact_text", "arguments": {"text": "Zebulon Quixotry, MRN 48151623, was seen."}}})  # fmt: skip
    say(process, {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "Zebulon", "arguments": {}}})
    say(process, {"jsonrpc": "2.0", "id": 4, "method": "tools/call", "params": {
        "name": "ask", "arguments": {"question": ["Zebulon"]}}})  # fmt: skip
    say(process, {"jsonrpc": "2.0", "id": 5, "method": "Zebulon"})
    assert process.stdout is not None
    lines = [json.loads(process.stdout.readline()) for _ in range(5)]
    out, err = process.communicate(timeout=60)
    assert {line["id"] for line in lines} == {1, 2, 3, 4, 5}
    assert out == ""
    assert process.returncode == 0
    assert "Zebulon" not in json.dumps(lines) + err
    assert all(json.loads(line) for line in err.splitlines())


def test_ctrl_c_ends_it_and_leaves_nothing_behind(own_environment: dict[str, str]) -> None:
    process = start(own_environment)
    say(process, HELLO)
    assert process.stdout is not None
    assert "overread" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    process.communicate()
    ours = [path for path in Path(own_environment["TMPDIR"]).iterdir() if path.name.startswith("overread-mcp-")]
    assert len(ours) <= 1  # that of the module's client, which still runs
