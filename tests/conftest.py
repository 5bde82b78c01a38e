"""What several rooms' tests share: the folder of shared data, settings that keep to a test's own folder, and a real
HTTP server on loopback that speaks OpenAI's streaming protocol, well or badly.

The first part of the path chooses how that server behaves: ``http://127.0.0.1:PORT/breaks-off/v1``.
"""

import csv
import json
import os
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings as hypothesis_settings
from PIL import Image

from overread.settings import Settings

# A machine that does something else at the same time must not fail a property.
hypothesis_settings.register_profile("house", deadline=None)
hypothesis_settings.load_profile("house")

# A run in the background of a shell ignores SIGINT, and so would the commands that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parent.parent


def shared_folder() -> Path | None:
    """``OVERREAD_SHARED``, or ``shared/`` beside or in the repository, or ``None``."""
    named = os.environ.get("OVERREAD_SHARED")
    places = [Path(named)] if named else [ROOT.parent / "shared", ROOT / "shared"]
    return next((place for place in places if (place / "data").is_dir()), None)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of shared data. A test that asks for it is skipped where there is none."""
    folder = shared_folder()
    if folder is None:
        pytest.skip("shared/data is not here; set OVERREAD_SHARED to its parent folder")
    return folder / "data"


@pytest.fixture
def own_settings(tmp_path: Path) -> Settings:
    """Settings whose state and cache lie in the test's own folder."""
    return Settings(state=tmp_path / "state", cache=tmp_path / "cache")


@pytest.fixture
def stack(tmp_path: Path, shared_data: Path) -> Path:
    """Twelve pages of chest X-rays: not a real volume, but many frames of a kind that has a tool."""
    with (shared_data / "images.csv").open(newline="", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["domain"] == "cxr_kermany"][:11]
    pages = [Image.open(shared_data / row["file"]).convert("L").resize((224, 224)) for row in rows]
    pages.insert(3, Image.fromarray(np.zeros((224, 224), dtype=np.uint8)))
    pages[0].save(tmp_path / "stack.tiff", save_all=True, append_images=pages[1:])
    return tmp_path / "stack.tiff"


class Handler(BaseHTTPRequestHandler):
    server: "FakeServer"

    def log_message(self, *args: object) -> None:
        """Say nothing: the tests' output is theirs."""

    def do_GET(self) -> None:
        if self._behaviour() == "lists-nonsense":
            return self._send(200, b"<html>hello</html>")
        if self._behaviour() == "lists-nothing":
            return self._send(200, b'{"data": []}')
        return self._send(200, b'{"object": "list", "data": [{"id": "tiny", "object": "model"}]}')

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(body)
        behaviour = self._behaviour()
        if behaviour == "fails":
            return self._send(500, b'{"error": {"message": "out of memory"}}')
        if body.get("tools") and behaviour == "no-tools":
            return self._send(400, b'{"error": {"message": "tools are not supported"}}')
        if behaviour == "nonsense":
            return self._send(200, b"]]]] not json", "text/event-stream")
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        if behaviour == "never-starts":
            self.server.released.wait(30)
            return None
        if behaviour == "asks-for-a-tool":
            call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "rm", "arguments": "{}"}}
            self._event({"tool_calls": [call]})
            return self._end()
        if body.get("tools"):
            return self._call(body, behaviour)
        if "Answer with one word" in str(body["messages"][0]):
            return self._say([self.server.verdicts.pop(0) if self.server.verdicts else "supported"])
        script = self.server.script
        if self.server.again is not None and "WHAT WAS WRONG" in str(body["messages"]):
            script = self.server.again.pop(0) if self.server.again else ["NOTHING"]
            if not script:  # say nothing for a long time
                self.server.released.wait(30)
                return None
        for piece in script:
            self._event({"content": piece})
            if behaviour == "breaks-off":
                return self.connection.close()
            if behaviour == "stalls":
                self.server.released.wait(30)
                return None
        return self._end()

    def _call(self, body: dict[str, Any], behaviour: str) -> None:
        """Ask for the next tools of the script, in pieces as a server sends them; at its end, for none more."""
        if self.server.obeys is not None:
            obeyed = self.server.obeys in str(body["messages"])
            self.server.turns = [[("segment", '{"image":"D1","x0":0,"y0":0,"x1":9,"y1":9}')]] if obeyed else []
        turn = self.server.turns.pop(0) if self.server.turns else [("write_answer", "{}")]
        if isinstance(turn, str):
            return self._say([turn])
        for index, (name, arguments) in enumerate(turn):
            head = {"index": index, "id": f"c{index}", "type": "function", "function": {"name": name, "arguments": ""}}
            self._event({"tool_calls": [head]})
            half = len(arguments) // 2
            for piece in (arguments[:half], arguments[half:]):
                self._event({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
                if behaviour == "dies-in-a-call":
                    return self.connection.close()
                if behaviour == "stalls-in-a-call":
                    self.server.released.wait(30)
                    return None
        return self._end()

    def _say(self, pieces: list[str]) -> None:
        for piece in pieces:
            self._event({"content": piece})
        self._end()

    def _behaviour(self) -> str:
        return self.path.split("/")[1]

    def _send(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _event(self, delta: dict[str, object], finish: str | None = None) -> None:
        choice = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": finish}
        if "content" in delta and self.server.logprob is not None:
            token = {"token": delta["content"], "logprob": self.server.logprob, "bytes": None, "top_logprobs": []}
            choice["logprobs"] = {"content": [token]}
        chunk = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "tiny", "choices": [choice]}
        self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        self.wfile.flush()

    def _end(self) -> None:
        self._event({}, finish="stop")
        self.wfile.write(b"data: [DONE]\n\n")


class FakeServer(ThreadingHTTPServer):
    """Keeps what it was asked in ``requests``; writes the pieces in ``script``.

    Asked to say a sentence again, it takes the next answer of ``again``; an empty one keeps it silent. Offered tools,
    it takes the next of ``turns``: names with arguments, or a text. With ``obeys``, it calls a tool whenever it
    reads that text. ``verdicts`` are what it says of claims, one after the other.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[dict[str, Any]] = []
        self.script: list[str] = []
        self.again: list[list[str]] | None = None
        self.turns: list[list[tuple[str, str]] | str] = []
        self.obeys: str | None = None
        self.verdicts: list[str] = []
        self.logprob: float | None = None
        self.released = threading.Event()

    def written(self) -> list[dict[str, Any]]:
        """The requests that offered no tools."""
        return [request for request in self.requests if "tools" not in request]

    def offers(self) -> list[dict[str, Any]]:
        """The requests that did."""
        return [request for request in self.requests if "tools" in request]

    def url(self, behaviour: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{behaviour}/v1"


@pytest.fixture
def llm_server() -> Iterator[FakeServer]:
    server = FakeServer()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
