"""What readers say of sentences: lines in a private file, from which a confidence can be calibrated later."""

import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from overread.events import ClaimEvent, DomainEvent, DoneEvent, EngineEvent, Event, PassageEvent, ToolResultEvent
from overread.settings import Settings
from serve.chat.answer import known
from serve.chat.session import Turn
from serve.errors import NoConversationError
from serve.private import private_directory

SCORED, UNSCORED = "feedback.jsonl", "feedback-unscored.jsonl"
"""Lines of answers with a calibrated confidence, which ``overread calibrate`` reads; and lines of those without."""


class Feedback:
    """Appends to the files in the state folder. Safe to use from several threads."""

    def __init__(self, settings: Settings) -> None:
        """The files are made with mode 0600 when the first line comes."""
        self._folder = settings.state
        self._lock = threading.Lock()

    def keep(self, turn: Turn, claim_id: str, correct: bool, why: str, redact: Callable[[str], str]) -> None:
        """Write down what a reader says of a sentence of a turn. Raises ``NoConversationError`` for no such sentence.

        ``why`` is kept without what identifies somebody; of whom it is, and what was asked, is not kept.
        """
        claim = next((one for one in _of(turn.events, ClaimEvent) if one.claim_id == claim_id), None)
        if claim is None:
            raise NoConversationError
        line = row(turn.events, claim, correct, redact(why.strip()) if why.strip() else "")
        name = UNSCORED if line["score"] is None else SCORED
        data = json.dumps(line, ensure_ascii=False).encode() + b"\n"
        with self._lock:
            private_directory(self._folder)
            file = os.open(
                self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
            )
            with os.fdopen(file, "wb", buffering=0) as out:
                out.write(data)


def row(events: Sequence[Event], claim: ClaimEvent, correct: bool, why: str) -> dict[str, Any]:
    """One line, as docs/chat.md describes it."""
    about = known(events)
    passages = {event.id: event.text for event in _of(events, PassageEvent)}
    done = next(iter(_of(events, DoneEvent)), None)
    engine = next(reversed(list(_of(events, EngineEvent))), None)
    models = {event.model.name: event.model for event in _of(events, ToolResultEvent) if event.model is not None}
    domain = next((event.label for event in _of(events, DomainEvent) if event.accepted), None)
    return {
        "score": done.confidence if done else None,
        "correct": correct,
        "domain": domain or "knowledge",
        "claim": claim.text,
        "verdict": claim.verdict,
        "checks": list(claim.checks),
        "evidence": [
            {"id": id_, "says": passages.get(id_) or (about[id_].said if id_ in about else None)}
            for id_ in claim.evidence
        ],
        "engine": engine.model if engine else None,
        "models": [model.model_dump() for model in models.values()],
        "why": why,
    }


def _of(events: Sequence[Event], kind: type[Any]) -> Iterator[Any]:
    return (event for event in events if isinstance(event, kind))
