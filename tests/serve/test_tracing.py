"""Spans: a run's steps below the caller's, with words from closed lists and nothing of what was asked."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from overread.settings import Settings
from serve.api.application import build_app
from serve.chat.server import private_folder, quiet_gradio
from serve.tracing import begin_tracing, trace_to

PLANTED = "Zebulon Quixotry"
KNOWN = {
    "http.request.method", "http.route", "http.response.status_code", "overread.ended", "overread.tool",
    "overread.status", "overread.gate_ms", "error.type",
}  # fmt: skip


@pytest.fixture(scope="module")
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = trace_to(exporter)
    assert trace.get_tracer_provider() is provider
    yield exporter
    provider.shutdown()


async def test_a_request_is_a_tree_of_spans_without_content(
    spans: InMemorySpanExporter, tmp_path: Path, cache: Path
) -> None:
    import skimage

    settings = Settings(state=tmp_path / "state", cache=cache)
    caller = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"
    with private_folder() as folder:
        quiet_gradio(folder)
        app = build_app(settings, folder)
        retina = (Path(skimage.__file__).parent / "data" / "retina.jpg").read_bytes()
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", timeout=200) as http,
        ):
            await app.state.service.readiness.warm()
            stored = await http.post("/v1/studies", files={"file": (f"{PLANTED}.jpg", retina)})
            parts = [
                {"type": "text", "text": f"What is this, and what is glaucoma? It is of {PLANTED}."},
                {"type": "image_url", "image_url": {"url": f"study:{stored.json()['id']}"}},
            ]
            body = {"model": "overread", "messages": [{"role": "user", "content": parts}]}
            await http.post("/v1/chat/completions", json=body, headers={"traceparent": caller, "X-Name": PLANTED})
    trace.get_tracer_provider().force_flush()  # type: ignore[attr-defined]
    told = [span for span in spans.get_finished_spans() if span.context and span.context.trace_id == int("ab" * 16, 16)]
    assert {"request", "run", "screen", "read", "identify", "examine", "tool", "retrieve", "write", "gate"} <= {
        span.name for span in told
    }
    (run,), (request,) = ([span for span in told if span.name == name] for name in ("run", "request"))
    assert _parent(request) == int("cd" * 8, 16)
    assert _parent(run) == request.context.span_id
    assert dict(request.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/v1/chat/completions",
        "http.response.status_code": 200,
    }
    assert dict(run.attributes or {}) == {"overread.ended": "done"}
    for span in spans.get_finished_spans():
        assert set(span.attributes or {}) <= KNOWN
        assert not span.events
        assert not any(word in span.to_json() for word in [*PLANTED.split(), "glaucoma", "study:"])


def _parent(span: ReadableSpan) -> int:
    return span.parent.span_id if span.parent else 0


def test_off_unless_asked() -> None:
    assert begin_tracing(Settings(otlp_endpoint=None)) is None


def test_without_the_exporter_one_line_says_what_to_install(environment: dict[str, str]) -> None:
    pytest.importorskip("opentelemetry.sdk")
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter  # noqa: F401
    except ImportError:
        pass
    else:
        pytest.skip("the exporter is installed here")
    ended = subprocess.run(
        [sys.executable, "-m", "serve.cli", "serve", "--port", "0"],
        capture_output=True, text=True, timeout=100, check=False,
        env=environment | {"OVERREAD_OTLP_ENDPOINT": "http://127.0.0.1:4318/v1/traces"},
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1
    assert "opentelemetry-exporter-otlp-proto-http" in ended.stderr
