"""The stream of one run's events: stamped, numbered, and past the gate.

Nodes of the graph write events here as things happen. This is the only door out of the agent. Sentences
come from the gate already (``delta``, ``claim`` and ``done.answer``); every other free text is
scrubbed of identity here, so that a reason, an argument or an error message cannot carry it. What a
source says keeps its dates and names, but never those of the run's own studies.
"""

import hashlib
import secrets
import time
from collections.abc import Callable
from typing import TypeVar, cast

from overread.events import BaseEvent, Event, PassageEvent, RefusalEvent, WithheldEvent

E = TypeVar("E", bound=BaseEvent)
Emit = Callable[[Event], None]

FREE_TEXT = frozenset({"reason", "message", "missing", "next_step", "args"})
"""Fields whose strings were not made by the gate and are not drawn from a closed list."""

SOURCE_TEXT = frozenset({"title", "source", "text"})
"""Fields of a passage that are a source's own words."""


FIXED_REFUSALS = frozenset({"out_of_scope", "unsafe_request"})
"""Refusals whose words are data as they stand, in several languages. Nothing of a request is in them, and a detector
that knows English would take their nouns for names.
"""


class EventStream:
    """Stamps ``run_id``, ``seq`` and ``t_ms`` on events and hands them on.

    ``scrub`` takes all identity out of a JSON value, ``match`` only the run's own out of a source's
    words. ``started`` is ``time.monotonic()`` when the request came in. ``heard`` is told of every event as it
    leaves.
    """

    def __init__(
        self,
        scrub: Callable[[object], object],
        match: Callable[[str], str],
        started: float,
        heard: Emit | None = None,
    ) -> None:
        self.run_id = f"run-{secrets.token_hex(8)}"
        self._scrub = scrub
        self._match = match
        self.started = started
        self._heard = heard
        self._seq = 0
        self._chain = hashlib.sha256(self.run_id.encode())

    def digest(self) -> str:
        """The SHA-256 over the run's id and every event sent so far, as JSON lines.

        Anyone who kept the lines can compute it again, and see whether one was changed.
        """
        return f"sha256:{self._chain.hexdigest()}"

    def elapsed_ms(self) -> float:
        """Milliseconds since the request came in."""
        return round((time.monotonic() - self.started) * 1000, 1)

    def stamp(self, event: E) -> E:
        """The event as it leaves: clean, with its place in the run."""
        fixed = isinstance(event, RefusalEvent) and event.reason in FIXED_REFUSALS
        texts = {
            name: self._scrub(value)
            for name in FREE_TEXT & type(event).model_fields.keys()
            if isinstance(value := getattr(event, name), str | dict) and not fixed and not _is_code(event, name)
        }
        if isinstance(event, PassageEvent):
            texts |= {name: self._match(getattr(event, name)) for name in SOURCE_TEXT}
        stamped = event.model_copy(update={**texts, "run_id": self.run_id, "seq": self._seq, "t_ms": self.elapsed_ms()})
        self._seq += 1
        self._chain.update(stamped.model_dump_json().encode() + b"\n")
        if self._heard is not None:
            self._heard(cast("Event", stamped))
        return stamped


def _is_code(event: BaseEvent, name: str) -> bool:
    """Whether the field is one of a closed list of words, as ``refusal.reason`` is."""
    return name == "reason" and isinstance(event, RefusalEvent | WithheldEvent)
