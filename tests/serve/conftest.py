"""Runs of events made by hand: one that answers, one that refuses a photograph."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from overread.events import (
    ClaimEvent,
    DeltaEvent,
    DomainEvent,
    DoneEvent,
    EngineEvent,
    Event,
    PassageEvent,
    RefusalEvent,
    StudyEvent,
    ToolResultEvent,
    ToolStartEvent,
    WithheldEvent,
)
from overread.records import Alternative, Context, Finding, Measurement, Privacy

Overread = Callable[..., "subprocess.CompletedProcess[str]"]

FOUND = "The child model finds signs of pneumonia, with a probability of 93 % [F1]."
QUOTED = "Pneumonia is an infection of the lung [S1]."


def stamped(events: list[Event]) -> list[Event]:
    return [event.model_copy(update={"run_id": "run-1", "seq": n, "t_ms": n * 100.0}) for n, event in enumerate(events)]


def study(study_id: str = "study-1") -> StudyEvent:
    return StudyEvent(
        study_id=study_id,
        modality="CR",
        images=1,
        size=(1024, 512),
        frames=1,
        spacing_mm=(0.2, 0.25),
        privacy=Privacy(header_removed=14, header_replaced=1, regions_masked=None, text_redacted=0),
        context=Context(age_band="child", view="AP"),
    )


@pytest.fixture
def answered() -> list[Event]:
    pneumonia = Finding(id="F1", label="pneumonia", probability=0.93, interval=(0.88, 0.96), decision="present")
    width = Measurement(id="M1", name="heart width", value=81.5, unit="mm", method="widest row of the mask")
    return stamped(
        [
            study(),
            DomainEvent(
                study_id="study-1", frame=0, id="D1", label="xray/chest", probability=0.97, accepted=True,
                alternatives=(Alternative(label="xray/bone", probability=0.02),),
            ),
            ToolStartEvent(study_id="study-1", frame=0, call_id="c1", tool="chest-child"),
            ToolStartEvent(study_id="study-1", frame=0, call_id="c2", tool="chest-adult"),
            ToolResultEvent(
                study_id="study-1", frame=0, call_id="c1", tool="chest-child", status="ok", elapsed_ms=340,
                findings=(pneumonia,), measurements=(width,),
            ),
            ToolResultEvent(
                study_id="study-1", frame=0, call_id="c2", tool="chest-adult", status="skipped", elapsed_ms=2,
                reason="this model speaks only for: adult",
            ),
            PassageEvent(
                id="S1", title="Pneumonia: What it is", source="Overread notes", url="https://example.org/p?a=1&b=2",
                text=QUOTED.removesuffix(" [S1].") + ".", score=0.9,
            ),
            EngineEvent(name="composer", model="built-in composer"),
            DeltaEvent(text=FOUND + " "),
            ClaimEvent(claim_id="claim-1", text=FOUND, verdict="supported", evidence=("F1",)),
            WithheldEvent(stage="output", reason="unsupported", claim_id="claim-2"),
            DeltaEvent(text=QUOTED),
            ClaimEvent(claim_id="claim-3", text=QUOTED, verdict="supported", evidence=("S1",)),
            DoneEvent(answer=f"{FOUND} {QUOTED}", citations=("F1", "S1"), confidence=0.91, audit_id="a"),
        ]
    )  # fmt: skip


@pytest.fixture
def refused() -> list[Event]:
    return stamped(
        [
            study(),
            DomainEvent(
                study_id="study-1", frame=0, id="D1", label=None, probability=0.02, accepted=False,
                reason="a photograph",
            ),
            RefusalEvent(
                reason="out_of_domain", message="This is no medical image I know.", missing="A medical image.",
                next_step="Send the original.", study_id="study-1",
            ),
            DeltaEvent(text="This is no medical image I know. Send the original."),
            DoneEvent(answer="This is no medical image I know. Send the original.", audit_id="a"),
        ]
    )  # fmt: skip


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all of these tests: the index of the notes is built once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def environment(tmp_path: Path, cache: Path) -> dict[str, str]:
    """The environment of a process that keeps its state in the test's own folder, and has no settings else."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OVERREAD_")}
    return kept | {"OVERREAD_STATE": str(tmp_path / "state"), "OVERREAD_CACHE": str(cache), "COLUMNS": "120"}


@pytest.fixture
def overread(environment: dict[str, str]) -> Overread:
    """Runs the real command in its own process."""

    def run(*arguments: str | Path, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "serve.cli", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=200,
            env=environment | more,
            check=False,
        )

    return run


class SilentServer:
    """Listens on loopback as a language model server that takes a question and never answers."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._taken: socket.socket | None = None

    def environment(self) -> dict[str, str]:
        port = self._listener.getsockname()[1]
        return {"OVERREAD_LLM_BASE_URL": f"http://127.0.0.1:{port}/v1", "OVERREAD_LLM_MODEL": "tiny"}

    def wait_for_question(self) -> None:
        if self._taken is not None:
            self._taken.close()
        self._listener.settimeout(120)
        self._taken, _ = self._listener.accept()

    def wait_for_hanging_up(self) -> None:
        """Read until the other side closes; a reset is a closing too."""
        assert self._taken is not None
        self._taken.settimeout(60)
        with contextlib.suppress(ConnectionResetError):
            while self._taken.recv(65536):
                pass

    def close(self) -> None:
        self._listener.close()
        if self._taken is not None:
            self._taken.close()


@pytest.fixture
def silent_server() -> Iterator[SilentServer]:
    server = SilentServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def module_silent_server() -> Iterator[SilentServer]:
    server = SilentServer()
    yield server
    server.close()
