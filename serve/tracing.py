"""OpenTelemetry spans of requests and runs, sent where the settings say; off unless they do.

A span says which route, which step, which tool, how it ended and how long it took. Nothing of a question, an image, an
answer, an address or a header is in one.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from agent.spans import TRACER
from overread.settings import Settings
from serve.errors import ArgumentsError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

EXPORTER = "opentelemetry-exporter-otlp-proto-http"


def begin_tracing(settings: Settings) -> "TracerProvider | None":
    """Send spans from now on, if the settings name a collector. Shut the provider down at the end: it sends the rest.

    Raises ``ArgumentsError`` when the package that sends them is not installed.
    """
    if settings.otlp_endpoint is None:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise ArgumentsError(f"to send spans, install what sends them: pip install {EXPORTER}") from None
    return trace_to(OTLPSpanExporter(endpoint=settings.otlp_endpoint))


def trace_to(exporter: "SpanExporter") -> "TracerProvider":
    """Give spans to an exporter, in batches, for the whole process."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource({"service.name": TRACER}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return provider


@contextmanager
def request_span(traceparent: str | None) -> Iterator[Span]:
    """The span of one request, below the caller's if it sent a W3C ``traceparent``. ``tracestate`` is not taken."""
    carried: Mapping[str, str] = {"traceparent": traceparent} if traceparent else {}
    context = TraceContextTextMapPropagator().extract(carried)
    with trace.get_tracer(TRACER).start_as_current_span(
        "request", context=context, kind=SpanKind.SERVER, record_exception=False, set_status_on_exception=False
    ) as span:
        yield span
