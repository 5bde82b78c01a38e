"""OpenTelemetry spans of a run and its steps, for whoever has set a tracer provider; else they cost next to nothing.

Names and attributes come from closed lists: nothing that was asked, read or written is ever in one, nor is an error's
message.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Span
from opentelemetry.util.types import AttributeValue

TRACER = "overread"


def begin(name: str, parent: Span | None = None, start_ns: int | None = None) -> Span:
    """A span that its caller ends; below ``parent``, or else below the one that is current."""
    context = None if parent is None else trace.set_span_in_context(parent)
    return trace.get_tracer(TRACER).start_span(
        name, context=context, start_time=start_ns, record_exception=False, set_status_on_exception=False
    )


@contextmanager
def step(parent: Span, name: str, attributes: Mapping[str, AttributeValue] | None = None) -> Iterator[Span]:
    """A span around one step of a run. Of an error only the kind is told."""
    span = begin(name, parent)
    span.set_attributes(dict(attributes or {}))
    try:
        yield span
    except BaseException as error:
        span.set_attribute("error.type", type(error).__name__)
        raise
    finally:
        span.end()
