"""A run's events as OpenAI's chunks and as its final object. The events themselves ride in ``overread``."""

import time
from collections.abc import Iterable, Iterator
from typing import Any

from overread.events import DeltaEvent, DoneEvent, ErrorEvent, Event, RefusalEvent
from serve.api.body import MODEL
from serve.api.failures import error_body, status_of
from serve.api.stops import Stops
from serve.words import repeats

Json = dict[str, Any]


class Reply:
    """What has been said so far. ``stopped`` is true once a stop sequence was met: the run is over then."""

    def __init__(self, stops: Iterable[str]) -> None:
        self._stops = Stops(tuple(stops))
        self._refusals: list[RefusalEvent] = []
        self._answered = False
        self._text = ""
        self._told: list[Json] = []
        self._id = "chatcmpl-0"
        self._created = int(time.time())
        self.usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        self.error: ErrorEvent | None = None

    @property
    def stopped(self) -> bool:
        """Whether a stop sequence was met."""
        return self._stops.met

    @property
    def refusal(self) -> str | None:
        """Why nothing was answered; ``None`` when something was, be it beside a refusal."""
        if self._answered or not self._refusals:
            return None
        return " ".join(
            part for event in self._refusals for part in (event.message, event.next_step) if part is not None
        )

    def take(self, event: Event) -> Iterator[tuple[str, Json | None]]:
        """Text to tell with the event that rides along, one pair or two: text that was held back comes first."""
        self._id = f"chatcmpl-{event.run_id.removeprefix('run-')}"
        if isinstance(event, RefusalEvent):
            self._refusals.append(event)
        elif isinstance(event, ErrorEvent):
            self.error = event
        elif isinstance(event, DoneEvent):
            self._count(event)
            if rest := self._stops.rest():
                yield self._say(rest, None)
        elif isinstance(event, DeltaEvent):
            self._answered = self._answered or not repeats(event, self._refusals)
            text = self._stops.take(event.text)
            # What lies behind a stop sequence was not asked for: it is not in the event either.
            yield self._say(text, event.model_copy(update={"text": text}))
            return
        yield self._say("", event)

    def hear(self, event: Event) -> None:
        """As ``take``, for who tells the whole at the end."""
        for _ in self.take(event):
            pass

    def _say(self, text: str, event: Event | None) -> tuple[str, Json | None]:
        self._text += text
        told = None if event is None else event.model_dump(mode="json")
        if told is not None:
            self._told.append(told)
        return text, told

    def _count(self, done: DoneEvent) -> None:
        read, written = (int(done.usage.get(name, 0)) for name in ("input_tokens", "output_tokens"))
        self.usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}

    def chunk(self, delta: Json, event: Json | None = None, finish: str | None = None) -> Json:
        """One chunk of a stream."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**self._head("chat.completion.chunk"), "choices": [choice], "overread": _carried(event)}

    def usage_chunk(self) -> Json:
        """The chunk after the last that holds only the tokens used."""
        return {**self._head("chat.completion.chunk"), "choices": [], "usage": self.usage, "overread": _carried(None)}

    def final(self) -> Json:
        """The whole answer as one object."""
        message = {"role": "assistant", "content": self._text, "refusal": self.refusal}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        return {
            **self._head("chat.completion"),
            "choices": [choice],
            "usage": self.usage,
            "overread": {"events": self._told},
        }

    def failure(self) -> tuple[int, Json]:
        """Status and body for a run that ended in an ``error``."""
        assert self.error is not None  # noqa: S101  called for such a run only
        status = status_of(self.error.code)
        return status, error_body(status, self.error.code, self.error.message)

    def _head(self, kind: str) -> Json:
        return {"id": self._id, "object": kind, "created": self._created, "model": MODEL, "system_fingerprint": None}


def _carried(event: Json | None) -> Json:
    return {"events": [] if event is None else [event]}
