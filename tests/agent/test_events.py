import hashlib
import time
from itertools import pairwise

from agent.events import EventStream
from overread.events import DeltaEvent, ErrorEvent, PassageEvent, RefusalEvent, ToolStartEvent


def shout(value: object) -> object:
    """A scrub one can see: every string becomes upper case."""
    if isinstance(value, dict):
        return {key: shout(item) for key, item in value.items()}
    return value.upper() if isinstance(value, str) else value


def test_events_are_numbered_and_timed() -> None:
    stream = EventStream(shout, str.title, time.monotonic())
    events = [stream.stamp(DeltaEvent(text="a")) for _ in range(3)]
    assert [event.seq for event in events] == [0, 1, 2]
    assert {event.run_id for event in events} == {stream.run_id}
    assert all(a.t_ms <= b.t_ms for a, b in pairwise(events))


def test_free_text_is_scrubbed_and_codes_and_gated_text_are_not() -> None:
    stream = EventStream(shout, str.title, time.monotonic())
    refusal = stream.stamp(RefusalEvent(reason="no_evidence", message="why", next_step="what"))
    assert (refusal.reason, refusal.message, refusal.next_step) == ("no_evidence", "WHY", "WHAT")
    start = stream.stamp(ToolStartEvent(call_id="T1", tool="t", args={"a": {"b": "c"}}))
    assert start.args == {"a": {"b": "C"}}
    assert stream.stamp(ErrorEvent(code="x", message="y")).message == "Y"
    assert stream.stamp(DeltaEvent(text="as is")).text == "as is"
    passage = stream.stamp(PassageEvent(id="S1", title="a", source="b", url="c", text="d", score=1))
    assert (passage.title, passage.source, passage.url, passage.text) == ("A", "B", "c", "D")


def test_the_digest_can_be_computed_from_the_lines() -> None:
    stream = EventStream(shout, str.title, time.monotonic())
    lines = [stream.stamp(DeltaEvent(text=text)).model_dump_json() for text in ("a", "b")]
    whole = stream.run_id + "".join(line + "\n" for line in lines)
    assert stream.digest() == f"sha256:{hashlib.sha256(whole.encode()).hexdigest()}"
