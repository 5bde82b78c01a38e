"""MCP over HTTP by the SDK's own client, against a real server with two users."""

import base64
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import numpy as np
import pydicom
import pytest
import skimage
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from PIL import Image
from pydicom.data import get_testdata_file

from agent.looking import Identified
from serve.answers import Analysis, Answer
from serve.mcp import results
from serve.mcp.resources import LARGEST_PICTURE
from serve.mcp.tools import described

RETINA = Path(skimage.__file__).parent / "data/retina.jpg"
PLANTED = "Zebulon Quixotry"
RESULTS = {
    "ask": Answer,
    "identify_domain": Identified,
    "analyze_image": Analysis,
    "segment": results.SegmentResult,
    "measure": results.MeasureResult,
    "find_similar_cases": results.CasesResult,
    "search_knowledge": results.SearchResult,
    "verify_claims": results.VerifyResult,
    "redact_text": results.RedactTextResult,
    "redact_dicom": results.RedactDicomResult,
    "draft_report": results.ReportResult,
}


class Caller:
    """One client of one user, connected as long as the module's tests run."""

    def __init__(self, portal: BlockingPortal, client: Client) -> None:
        self._portal = portal
        self.client = client
        self.progress: list[str] = []

    def do(self, function: Callable[..., Any], *given: Any, **more: Any) -> Any:
        async def done() -> Any:
            return await function(*given, **more)

        return self._portal.call(done)

    def call(self, tool: str, **arguments: Any) -> Any:
        async def heard(progress: float, total: float | None, message: str | None) -> None:
            self.progress.append(message or "")

        self.progress.clear()
        return self.do(self.client.call_tool, tool, arguments, progress_callback=heard)

    def told(self, tool: str, **arguments: Any) -> dict[str, Any]:
        result = self.call(tool, **arguments)
        assert not result.is_error, result.content
        return result.structured_content

    def failed(self, tool: str, **arguments: Any) -> str:
        result = self.call(tool, **arguments)
        assert result.is_error
        assert result.structured_content is None
        return result.content[0].text

    def read(self, uri: str) -> Any:
        (content,) = self.do(self.client.read_resource, uri).contents
        return base64.b64decode(content.blob) if hasattr(content, "blob") else json.loads(content.text)


def connect(portal: BlockingPortal, api: Any, key: str, mode: str = "auto") -> Any:
    http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=200, trust_env=False)
    transport = streamable_http_client(f"{api.url}/mcp", http_client=http)
    return portal.wrap_async_context_manager(Client(transport, mode=mode))


@pytest.fixture(scope="module")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as opened:
        yield opened


@pytest.fixture(scope="module", params=["auto", "legacy"])
def alice(request: pytest.FixtureRequest, api: Any, portal: BlockingPortal) -> Iterator[Caller]:
    """By the protocol of today, which knows no sessions, and by those before it."""
    with connect(portal, api, api.alice, request.param) as client:
        yield Caller(portal, client)


@pytest.fixture(scope="module")
def bob(api: Any, portal: BlockingPortal) -> Iterator[Caller]:
    with connect(portal, api, api.bob) as client:
        yield Caller(portal, client)


def upload(api: Any, key: str, data: bytes) -> str:
    with api.client(key) as client:
        sent = client.post("/v1/studies", files={"file": ("DOE_JANE.dcm", data)})
    assert sent.status_code == 201, sent.text
    return str(sent.json()["reference"])


@pytest.fixture(scope="module")
def retina(api: Any) -> str:
    return upload(api, api.alice, RETINA.read_bytes())


@pytest.fixture(scope="module")
def slice_(api: Any) -> str:
    """A CT slice with a patient's name in it."""
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    dataset.PatientName = PLANTED.replace(" ", "^")
    out = io.BytesIO()
    dataset.save_as(out)
    return upload(api, api.alice, out.getvalue())


def test_every_tool_is_listed_with_its_schemas(bob: Caller) -> None:
    tools = {tool.name: tool for tool in bob.do(bob.client.list_tools).tools}
    assert tools.keys() == RESULTS.keys() == described()["tools"].keys()
    for name, tool in tools.items():
        assert tool.description
        assert tool.title
        assert tool.input_schema["additionalProperties"] is False
        assert tool.output_schema["type"] == "object"
        assert tool.annotations.read_only_hint is (name != "redact_dicom")
        assert tool.annotations.destructive_hint is False
        assert tool.annotations.open_world_hint is False
    assert "Research use" in bob.client.instructions


def test_each_tool_answers_in_its_schema(alice: Caller, retina: str, slice_: str) -> None:
    calls: dict[str, dict[str, Any]] = {
        "ask": {"question": "What kind of image is this?", "images": [retina]},
        "identify_domain": {"image": retina},
        "analyze_image": {"image": retina, "context": {"age_band": "adult"}},
        "segment": {"image": retina, "box": [100, 100, 400, 400]},
        "measure": {"image": retina, "points": [{"x": 700, "y": 700}]},
        "find_similar_cases": {"image": retina},
        "search_knowledge": {"query": "How is a pneumothorax confirmed?", "k": 2},
        "verify_claims": {"claims": [{"claim": "The effusion is left.", "evidence": ["A right effusion is seen."]}]},
        "redact_text": {"text": "Jane Example, MRN 48151623, was seen on 12 March 2021."},
        "redact_dicom": {"image": slice_},
        "draft_report": {"image": retina},
    }
    assert calls.keys() == RESULTS.keys()
    found = {}
    for name, arguments in calls.items():
        found[name] = RESULTS[name].model_validate(alice.told(name, **arguments))
        assert alice.progress, name
    answer = found["ask"]
    assert answer.domains[0].label == "fundus"
    assert answer.answer == "".join(alice.progress) or answer.claims[0].text in answer.answer
    assert answer.citations == ("D1",)
    assert found["identify_domain"].label == "fundus"
    assert any(case.label for case in found["find_similar_cases"].cases)
    assert found["search_knowledge"].passages[0].source
    assert found["verify_claims"].claims[0].verdict == "contradicted"
    assert "Jane" not in found["redact_text"].text
    assert found["redact_text"].spans[0].start == 0
    assert [one.title for one in found["draft_report"].sections][-1] == "Impression"
    area = next(one for one in found["measure"].measurements if one.name == "area")
    assert area.unit == "px²"

    mask = np.asarray(Image.open(io.BytesIO(alice.read(found["segment"].pictures[0]))))
    assert mask.shape == (1411, 1411)
    assert int((mask == 255).sum()) == found["segment"].area_px
    overlay = next(uri for uri in answer.pictures if uri.endswith("overlay.png"))
    picture = alice.read(overlay)
    assert len(picture) <= LARGEST_PICTURE
    assert Image.open(io.BytesIO(picture)).size[0] >= 500
    clean = alice.read(found["redact_dicom"].file)
    assert len(clean) == found["redact_dicom"].bytes
    assert b"Zebulon" not in clean
    assert pydicom.dcmread(io.BytesIO(clean)).pixel_array.shape == (128, 128)


def test_progress_comes_from_the_runs_events_and_the_answer_with_it(alice: Caller, retina: str) -> None:
    told = alice.told("ask", question="What kind of image is this?", images=[retina])
    assert alice.progress[0].startswith("image read")
    assert any("fundus" in one for one in alice.progress)
    spoken = "".join(alice.progress)
    assert told["answer"].split("\n")[0] in spoken


def test_identity_in_a_header_or_a_question_comes_out_nowhere(alice: Caller, slice_: str) -> None:
    for tool, more in (("ask", {"question": f"Is {PLANTED} well? His number is MRN 48151623.", "images": [slice_]}),
                       ("analyze_image", {"image": slice_}), ("draft_report", {"image": slice_}),
                       ("identify_domain", {"image": slice_}), ("redact_dicom", {"image": slice_})):  # fmt: skip
        result = alice.call(tool, **more)
        told = result.model_dump_json() + "".join(alice.progress)
        assert "Zebulon" not in told
        assert "Quixotry" not in told
        assert "48151623" not in told


def test_a_refusal_is_an_answer(alice: Caller, api: Any) -> None:
    cat = upload(api, api.alice, (RETINA.parent / "chelsea.png").read_bytes())
    told = alice.told("ask", question="What is wrong with it?", images=[cat])
    assert told["refused"] is True
    assert told["refusals"][0]["reason"] == "out_of_domain"
    assert alice.told("segment", image=cat, auto=True)["refusal"]["reason"] == "out_of_domain"


@pytest.mark.parametrize(
    "named",
    [str(RETINA), "/etc/passwd", "file:///etc/passwd", "https://example.org/a.png", "study:../../keys.json",
     "study:/etc/passwd", "../../etc/passwd", "data:image/png;base64,AAAA"],
)  # fmt: skip
def test_only_studies_are_named_over_http(bob: Caller, named: str) -> None:
    asked = {"question": "Has it grown?", "images": [named]}
    for tool, more in (("ask", asked), ("ask", asked | {"prior": named}), ("identify_domain", {"image": named}),
                       ("redact_dicom", {"image": named})):  # fmt: skip
        said = bob.failed(tool, **more)
        assert said.startswith(("bad_arguments: ", "no_such_study: "))
        assert named not in said


def test_nothing_is_written_over_http(alice: Caller, slice_: str, tmp_path: Path) -> None:
    assert "no file is written here" in alice.failed("redact_dicom", image=slice_, output=str(tmp_path / "out.dcm"))
    assert not list(tmp_path.iterdir())


def test_what_belongs_to_one_key_is_not_there_for_another(alice: Caller, bob: Caller, retina: str) -> None:
    pictures = [*alice.told("ask", question="What is this?", images=[retina])["pictures"],
                *alice.told("segment", image=retina, box=[10, 10, 90, 90])["pictures"],
                f"overread://studies/{retina.removeprefix('study:')}"]  # fmt: skip
    assert len(pictures) == 5
    for uri in pictures:
        assert alice.read(uri)
        with pytest.raises(MCPError, match="no such"):
            bob.read(uri)
    for tool in ("identify_domain", "analyze_image", "segment", "redact_dicom", "draft_report"):
        more = {"box": [0, 0, 9, 9]} if tool == "segment" else {}
        assert bob.failed(tool, image=retina, **more).startswith("no_such_study")
    listed = alice.read("overread://studies")["studies"]
    assert retina in [one["reference"] for one in listed]
    assert any(look["pictures"] for one in listed for look in one["looks"])
    assert retina not in json.dumps(bob.read("overread://studies"))


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("ask", {"question": {"name": PLANTED}}), ("ask", {"question": "What?", "images": PLANTED}),
        ("ask", {"question": "What?", PLANTED: 1}), ("ask", {PLANTED: PLANTED}), (PLANTED, {"question": "What?"}),
        ("ask", {"question": "What?", "context": {"view": PLANTED}}),
        ("ask", {"question": "What?", "context": {PLANTED: "PA"}}),
        ("ask", {"question": "What?", "images": [PLANTED]}), ("segment", {"image": "study:1", "box": [PLANTED]}),
        ("segment", {"image": "study:1", "points": [{"x": PLANTED}], "model": PLANTED}),
        ("verify_claims", {"claims": [{"claim": PLANTED}]}), ("verify_claims", {"claims": PLANTED}),
        ("search_knowledge", {"query": "x", "k": PLANTED}), ("redact_text", {"text": [PLANTED]}),
    ],
)  # fmt: skip
def test_no_failure_repeats_what_was_sent(alice: Caller, tool: str, arguments: dict[str, Any]) -> None:
    result = alice.call(tool, **arguments)
    assert result.is_error
    assert "Zebulon" not in result.model_dump_json()
    assert len(result.content[0].text) > 10


@pytest.mark.parametrize(
    "uri",
    [f"overread://looks/{PLANTED}/image.png", f"overread://{PLANTED}", PLANTED, f"overread://studies/{PLANTED}",
     "overread://results/Zebulon/../mask.png"],
)  # fmt: skip
def test_no_failure_of_a_resource_repeats_its_address(alice: Caller, uri: str) -> None:
    with pytest.raises(MCPError) as caught:
        alice.read(uri.replace(" ", "%20"))
    assert "Zebulon" not in f"{caught.value} {caught.value.error}"


def post(api: Any, body: Any, **headers: str) -> httpx.Response:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    own = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
           "Authorization": f"Bearer {api.alice}"}  # fmt: skip
    return httpx.post(f"{api.url}/mcp", content=sent, headers=own | headers, trust_env=False, timeout=60)


@pytest.mark.parametrize("version", ["2026-07-28", "2025-06-18", "Zebulon"])
@pytest.mark.parametrize(
    "body",
    [b'{"Zebulon"', b"[]", {"jsonrpc": "2.0", "id": {"a": "Zebulon"}, "method": "tools/list"},
     {"jsonrpc": "2.0", "id": 1, "method": "Zebulon"}, {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
     "params": {"name": {"x": "Zebulon"}}}, {"jsonrpc": "2.0", "id": 1, "method": "prompts/get",
     "params": {"name": "Zebulon"}}, {"jsonrpc": "Zebulon", "id": 1, "method": 3}],
)  # fmt: skip
def test_no_failure_of_the_protocol_repeats_what_was_sent(api: Any, version: str, body: Any) -> None:
    answer = post(api, body, **{"MCP-Protocol-Version": version, "Mcp-Method": "tools/call"})
    assert "Zebulon" not in answer.text
    assert answer.status_code in (200, 400, 404)
    assert answer.json()["error"]["message"]


def test_the_same_doors_stand_before_it(api: Any) -> None:
    hello = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    assert post(api, hello, Authorization="Bearer wrong").status_code == 401
    assert post(api, hello, Origin="https://evil.example").status_code == 403
    assert post(api, hello, Host="evil.example").status_code == 400
    assert post(api, b" " * 1_000_001).status_code == 413
    with api.client(api.alice) as client:
        assert client.get("/mcp").status_code == 405


def test_a_session_belongs_to_the_key_that_began_it(api: Any) -> None:
    begin = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}  # fmt: skip
    session = post(api, begin).headers["mcp-session-id"]
    listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    own = {"Mcp-Session-Id": session, "MCP-Protocol-Version": "2025-06-18"}
    assert post(api, listing, **own).status_code == 200
    stolen = post(api, listing, **own, Authorization=f"Bearer {api.bob}")
    assert (stolen.status_code, stolen.json()["error"]["message"]) == (
        404,
        "there is no such session; initialize again",
    )


def cancelled(api: Any) -> float:
    lines = [line for line in api.metrics().splitlines() if line.startswith('overread_runs_total{ended="cancelled"}')]
    return float(lines[0].split()[1]) if lines else 0.0


def test_a_client_that_cancels_stops_its_run(alice: Caller, api: Any) -> None:
    import anyio

    before = cancelled(api)

    async def begin_and_cancel() -> None:
        async with anyio.create_task_group() as group:

            async def heard(progress: float, total: float | None, message: str | None) -> None:
                group.cancel_scope.cancel()

            await alice.client.call_tool("ask", {"question": "What is pneumonia? " * 300}, progress_callback=heard)

    alice.do(begin_and_cancel)
    api.wait_until("overread_runs_in_flight 0.0")
    api.wait_until("overread_requests_in_flight 0.0")
    assert cancelled(api) == before + 1


def test_a_client_that_leaves_stops_its_run(api: Any) -> None:
    """By the protocols before 2026 too, where the run goes on in a session of its own."""
    begin = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}  # fmt: skip
    session = post(api, begin).headers["mcp-session-id"]
    before = cancelled(api)
    own = {"Mcp-Session-Id": session, "MCP-Protocol-Version": "2025-06-18", "Content-Type": "application/json",
           "Accept": "application/json, text/event-stream"}  # fmt: skip
    asked = {"name": "ask", "arguments": {"question": "What is pneumonia? " * 300}, "_meta": {"progressToken": 1}}
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": asked}
    post(api, {"jsonrpc": "2.0", "method": "notifications/initialized"}, **own)
    with api.client(api.alice) as client, client.stream("POST", "/mcp", json=call, headers=own) as answer:
        next(line for line in answer.iter_lines() if "progress" in line)
    api.wait_until("overread_runs_in_flight 0.0")
    assert cancelled(api) == before + 1


def test_the_log_and_the_metrics_hold_nothing_that_was_sent(alice: Caller, api: Any) -> None:
    alice.failed("ask", question={"name": PLANTED})
    told = api.log.read_text() + api.metrics()
    assert "Zebulon" not in told
    assert 'route="/mcp"' in told
