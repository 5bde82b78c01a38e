"""Sessions with an assistant that is told by the test when to go on, so that every moment can be met."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from agent.request import Request
from overread.events import DeltaEvent, DoneEvent, ErrorEvent, Event
from overread.records import Context
from serve.chat.session import MAX_WAITING, Session, Sessions, Turn
from serve.errors import ServeError


class ToldAssistant:
    """Gives out the events the test puts in, and remembers what it was asked."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.events: asyncio.Queue[Event | Exception] = asyncio.Queue()
        self.cancelled = 0
        self.forgotten: list[str] = []

    async def ask(self, request: Request) -> AsyncGenerator[Event, None]:
        self.requests.append(request)
        assert all(image.is_file() for image in request.images)
        try:
            while True:
                event = await self.events.get()
                if isinstance(event, Exception):
                    raise event
                yield event
                if isinstance(event, DoneEvent | ErrorEvent):
                    return
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise

    async def forget(self, thread: str) -> None:
        self.forgotten.append(thread)


DONE = DoneEvent(answer="x", audit_id="a")


@pytest.fixture
def assistant() -> Any:
    return ToldAssistant()


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(tmp_path / "session")


def upload(tmp_path: Path, name: str = "DOE^JANE.dcm") -> Path:
    folder = tmp_path / "uploads" / "0123"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(b"pixels")
    return path


async def follow(session: Session, assistant: Any, question: str = "What?") -> list[Turn]:
    return [turn async for turn in session.ask(assistant, question, Context())]


async def test_uploads_lose_their_names_and_are_deleted_after_the_run(
    session: Session, assistant: Any, tmp_path: Path
) -> None:
    given = upload(tmp_path)
    session.take([given])
    assert not given.parent.exists()
    (waiting,) = session.waiting
    assert "DOE" not in str(waiting)
    assert waiting.stat().st_mode & 0o777 == 0o600
    assert waiting.parent.stat().st_mode & 0o777 == 0o700
    assistant.events.put_nowait(DONE)
    await follow(session, assistant)
    assert assistant.requests[0].images == (waiting,)
    assert not waiting.exists()
    assert session.waiting == []


async def test_a_turn_grows_as_events_come(session: Session, assistant: Any) -> None:
    run = session.ask(assistant, "What?", Context())
    turn = await anext(run)
    assert (turn.state, turn.events) == ("running", [])
    assistant.events.put_nowait(DeltaEvent(text="It is"))
    assert len((await anext(run)).events) == 1
    assistant.events.put_nowait(DONE)
    rest = [turn.state async for turn in run]
    assert rest[-1] == "done"
    assert not session.busy


async def test_stop_cancels_the_run_and_the_turn_says_so(session: Session, assistant: Any, tmp_path: Path) -> None:
    session.take([upload(tmp_path)])
    (waiting,) = session.waiting
    run = session.ask(assistant, "What?", Context())
    await anext(run)
    assistant.events.put_nowait(DeltaEvent(text="It is"))
    await anext(run)
    await session.stop()
    states = [turn.state async for turn in run]
    assert states[-1] == "stopped"
    assert assistant.cancelled == 1
    assert not waiting.exists()


async def test_a_page_that_goes_away_cancels_the_run(session: Session, assistant: Any) -> None:
    run = session.ask(assistant, "What?", Context())
    await anext(run)
    assistant.events.put_nowait(DeltaEvent(text="It is"))
    await anext(run)
    await run.aclose()
    assert assistant.cancelled == 1
    assert not session.busy


async def test_one_answer_at_a_time(session: Session, assistant: Any) -> None:
    run = session.ask(assistant, "What?", Context())
    await anext(run)
    with pytest.raises(ServeError, match="still being written"):
        await follow(session, assistant)
    await run.aclose()


async def test_a_failure_of_ours_is_told_by_its_kind_alone(session: Session, assistant: Any) -> None:
    assistant.events.put_nowait(RuntimeError("DOE^JANE"))
    turn = (await follow(session, assistant))[-1]
    (event,) = turn.events
    assert isinstance(event, ErrorEvent)
    assert "RuntimeError" in event.message
    assert "DOE" not in event.message


async def test_forget_deletes_the_thread_and_begins_another(session: Session, assistant: Any, tmp_path: Path) -> None:
    assistant.events.put_nowait(DONE)
    await follow(session, assistant)
    session.take([upload(tmp_path)])
    before, (waiting,) = session.thread, session.waiting
    await session.forget(assistant)
    assert assistant.forgotten == [before]
    assert session.thread != before
    assert session.turns == []
    assert not waiting.exists()


async def test_questions_of_a_page_share_a_thread_and_pages_do_not(tmp_path: Path, assistant: Any) -> None:
    sessions = Sessions(tmp_path)
    one, other = await sessions.of("a", assistant), await sessions.of("b", assistant)
    for session in (one, one, other):
        assistant.events.put_nowait(DONE)
        await follow(session, assistant)
    threads = [request.thread for request in assistant.requests]
    assert threads[0] == threads[1] != threads[2]
    assert await sessions.of("a", assistant) is one


async def test_a_closed_page_leaves_nothing(tmp_path: Path, assistant: Any) -> None:
    sessions = Sessions(tmp_path / "chat")
    (tmp_path / "chat").mkdir()
    session = await sessions.of("a", assistant)
    session.take([upload(tmp_path)])
    thread = session.thread
    run = session.ask(assistant, "What?", Context())
    await anext(run)
    await sessions.end("a", assistant)
    assert len(sessions) == 0
    assert list((tmp_path / "chat").iterdir()) == []
    assert assistant.forgotten == [thread]
    await run.aclose()


async def test_too_many_pages_let_the_oldest_idle_one_go(
    tmp_path: Path, assistant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve.chat.session.MAX_SESSIONS", 2)
    sessions = Sessions(tmp_path)
    first = await sessions.of("a", assistant)
    run = first.ask(assistant, "What?", Context())
    await anext(run)
    await sessions.of("b", assistant)
    await sessions.of("c", assistant)
    assert await sessions.of("a", assistant) is first
    assert len(sessions) == 2
    await run.aclose()


def test_more_images_than_a_question_takes_are_deleted(session: Session, tmp_path: Path) -> None:
    session.take([upload(tmp_path, f"{n}.png") for n in range(MAX_WAITING + 2)])
    assert len(session.waiting) == MAX_WAITING
    assert not (tmp_path / "uploads" / "0123").exists()
    session.drop_waiting()
    assert not any(path.is_file() for path in tmp_path.rglob("*"))
