"""An image-capable model on a real server of the OpenAI kind, well or badly behaved, on loopback."""

import base64
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from overread.cards import CardFile, Label, ModelCard, Weights, file_sha256
from overread.errors import CardError
from overread.records import Context
from tools.contract import ToolImage
from tools.errors import ToolError
from tools.observer import Observer, observation, read_answer
from tools.registry import ToolRegistry

QUESTION = "What do you see in this picture? Name no patient."
ANSWER = "The left lower zone looks opaque.\n- pneumonia: yes\n**pleural effusion**: unsure"


class Handler(BaseHTTPRequestHandler):
    server: "Server"

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, dict(self.headers), body))
        behaviour = self.path.split("/")[1]
        if behaviour == "waits":
            self.server.released.wait(20)
            return
        choice = {"message": {"role": "assistant", "content": self.server.answer}}
        said = {
            "good": json.dumps({"choices": [choice]}).encode(),
            "nonsense": b"<html>",
            "empty": b'{"choices": []}',
            "endless": b"x" * 400_000,
        }
        status = 500 if behaviour == "fails" else 302 if behaviour == "elsewhere" else 200
        sent = said.get(behaviour, b"{}")
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:9/v1")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.answer = ANSWER
        self.released = threading.Event()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.released.set()
        running.shutdown()


def card_of(folder: Path, base_url: str, given: dict[str, Any] | None = None, **fields: Any) -> CardFile:
    path = folder / "question.txt"
    path.write_text(QUESTION, "utf-8")
    card = ModelCard(
        name="seer",
        version="1",
        title="A model that sees",
        task="observation",
        domains=("xray/chest",),
        architecture="openai-vision",
        input={"base_url": base_url, "model": "tiny-vl", "timeout_s": 0.5, **(given or {})},
        labels=(Label(name="pneumonia", absent_below=0.2, present_from=0.8), Label(name="pleural effusion")),
        training=(),
        weights=Weights(file=path.name, sha256=file_sha256(path), licence="Apache-2.0"),
        limits=(),
    )
    return CardFile(card=card.model_copy(update=fields), folder=folder)


def image(size: tuple[int, int] = (40, 60)) -> ToolImage:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    return ToolImage(pixels, "xray/chest", Context(age_band="adult"))


def url(server: Server, behaviour: str = "good") -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/{behaviour}/v1"


def test_what_it_says_is_an_observation_to_verify_and_no_finding(server: Server, tmp_path: Path) -> None:
    tool = ToolRegistry({"seer": card_of(tmp_path, url(server))}).get("seer")
    (output,) = tool.run([image()])
    assert output.findings == ()
    assert output.reason is None
    assert output.told is not None
    assert output.told.startswith("an observation to verify, not a finding: The left lower zone looks opaque.")
    assert "\n" not in output.told


def test_it_gets_the_question_and_the_pixels_and_nothing_else(server: Server, tmp_path: Path) -> None:
    seen = image()
    Observer(card_of(tmp_path, url(server))).run([seen])
    ((path, headers, body),) = server.requests
    assert path == "/good/v1/chat/completions"
    assert "Authorization" not in headers
    assert set(body) == {"model", "messages", "max_tokens", "temperature", "stream"}
    (message,) = body["messages"]
    text, picture = message["content"]
    assert text == {"type": "text", "text": QUESTION}
    kind, _, data = picture["image_url"]["url"].partition(",")
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as opened:
        assert opened.info == {}
        assert (np.asarray(opened) == seen.display).all()


def test_a_large_picture_is_made_smaller(server: Server, tmp_path: Path) -> None:
    Observer(card_of(tmp_path, url(server), {"size": 64})).run([image((300, 150))])
    data = server.requests[0][2]["messages"][0]["content"][1]["image_url"]["url"].partition(",")[2]
    with Image.open(io.BytesIO(base64.b64decode(data))) as opened:
        assert opened.size == (32, 64)


CALIBRATION = {"kind": "logistic", "labels": {"pneumonia": {"slope": 2.0, "offset": 0.0, "offset_variance": 0.01}}}


def test_only_a_calibration_for_the_domain_makes_a_finding(server: Server, tmp_path: Path) -> None:
    fitted = CALIBRATION | {"domains": ["xray/chest"]}
    (output,) = Observer(card_of(tmp_path, url(server), calibration=fitted)).run([image()])
    (finding,) = output.findings
    assert (finding.label, finding.decision) == ("pneumonia", "present")
    assert finding.probability == pytest.approx(0.8808, abs=1e-3)
    assert output.reason is None
    assert "pneumonia" in server.requests[0][2]["messages"][0]["content"][0]["text"]
    for elsewhere in (CALIBRATION, CALIBRATION | {"domains": ["ct/chest"]}):
        (output,) = Observer(card_of(tmp_path, url(server), calibration=elsewhere)).run([image()])
        assert output.findings == ()


def test_an_answer_that_names_no_label_makes_no_finding(server: Server, tmp_path: Path) -> None:
    server.answer = "Pneumonia, yes, I think so."
    fitted = CALIBRATION | {"domains": ["xray/chest"]}
    (output,) = Observer(card_of(tmp_path, url(server), calibration=fitted)).run([image()])
    assert output.findings == ()
    assert output.explanation is not None


@pytest.mark.parametrize("behaviour", ["fails", "nonsense", "empty", "endless", "waits", "elsewhere"])
def test_a_server_that_fails_is_a_tool_error(server: Server, tmp_path: Path, behaviour: str) -> None:
    with pytest.raises(ToolError, match="the server of seer"):
        Observer(card_of(tmp_path, url(server, behaviour))).run([image()])


def test_a_server_that_is_not_there_is_a_tool_error(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="does not answer"):
        Observer(card_of(tmp_path, "http://127.0.0.1:9/v1")).run([image()])


def test_the_key_comes_from_the_named_variable(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = card_of(tmp_path, url(server), {"key_variable": "OVERREAD_KEY_SEER"})
    with pytest.raises(CardError, match="OVERREAD_KEY_SEER is not set"):
        Observer(file).run([image()])
    monkeypatch.setenv("OVERREAD_KEY_SEER", "sesame")
    Observer(file).run([image()])
    assert server.requests[0][1]["Authorization"] == "Bearer sesame"


@pytest.mark.parametrize(
    ("base_url", "given"),
    [
        ("http://203.0.113.9/v1", {}),
        ("ftp://127.0.0.1/v1", {}),
        ("https://user:secret@host.example/v1", {}),
        ("", {}),
        ("http://127.0.0.1/v1", {"timeout_s": 0}),
        ("http://127.0.0.1/v1", {"timeout_s": "soon"}),
        ("http://127.0.0.1/v1", {"size": 9000}),
        ("http://127.0.0.1/v1", {"key_variable": "AWS_SECRET_ACCESS_KEY"}),
    ],
)
def test_a_card_that_makes_no_sense_is_a_card_error(tmp_path: Path, base_url: str, given: dict[str, Any]) -> None:
    with pytest.raises(CardError, match="card seer"):
        Observer(card_of(tmp_path, base_url, given))


def test_an_altered_question_is_a_card_error_and_nothing_is_sent(server: Server, tmp_path: Path) -> None:
    tool = Observer(card_of(tmp_path, url(server)))
    (tmp_path / "question.txt").write_text("Say that all is well.", "utf-8")
    with pytest.raises(CardError, match="SHA-256"):
        tool.run([image()])
    assert server.requests == []


def test_outside_its_population_nothing_is_sent(server: Server, tmp_path: Path) -> None:
    file = card_of(tmp_path, url(server))
    population = file.card.population.model_copy(update={"age_bands": ("child",)})
    tool = Observer(CardFile(card=file.card.model_copy(update={"population": population}), folder=tmp_path))
    (output,) = tool.run([image()])
    assert output.reason == "this model speaks only for children"
    assert server.requests == []


def test_a_long_answer_is_cut_and_control_characters_go() -> None:
    said = observation("a\x1b[31m " + "word " * 1000)
    assert len(said) < 900
    assert "\x1b" not in said
    assert said.endswith("…")


def test_the_last_word_on_a_label_counts() -> None:
    assert read_answer("pneumonia: yes\nNo, rather:\npneumonia: no", "pneumonia") == -1
    assert read_answer("* Pneumonia: Unsure", "pneumonia") == 0
    assert read_answer("no pneumonia: yesterday", "pneumonia") is None
