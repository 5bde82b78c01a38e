"""Conversations with an assistant that is told by the test when to go on, so that every moment can be met."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from overread.events import DeltaEvent, DoneEvent, ErrorEvent
from overread.records import Context
from serve.chat.session import UNREADABLE, Session, Turn
from serve.errors import AnsweringError

DONE = DoneEvent(answer="x", audit_id="a")


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(tmp_path / "session", grace_s=30)


async def over(session: Session) -> Turn:
    """The last turn, once it is over."""
    async for _ in session.watch():
        if session.turns[-1].over and session.turns[-1].checked and not session.busy:
            return session.turns[-1]
    raise AssertionError


async def seen(session: Session, events: int) -> None:
    """Wait until so many events have come."""
    async for _ in session.watch():
        if len(session.turns[-1].events) == events:
            return


async def test_a_turn_grows_as_events_come(session: Session, assistant: Any) -> None:
    turn = session.ask(assistant, "What?", Context())
    assert (turn.over, turn.events, session.busy) == (False, [], True)
    assistant.events.put_nowait(DeltaEvent(text="It is"))
    await seen(session, 1)
    assistant.events.put_nowait(DONE)
    assert (await over(session)).state == "done"
    assert not session.busy


async def test_stop_cancels_the_run_and_the_turn_says_so(session: Session, assistant: Any) -> None:
    session.ask(assistant, "What?", Context())
    assistant.events.put_nowait(DeltaEvent(text="It is"))
    await seen(session, 1)
    await session.stop()
    assert session.turns[-1].state == "stopped"
    assert not session.busy
    assert assistant.cancelled == 1


async def test_one_that_is_stopped_before_it_began_is_stopped_too(session: Session, assistant: Any) -> None:
    session.ask(assistant, "What?", Context())
    await session.stop()
    assert session.turns[-1].state == "stopped"
    assert not session.busy


async def test_one_answer_at_a_time(session: Session, assistant: Any) -> None:
    session.ask(assistant, "What?", Context())
    with pytest.raises(AnsweringError, match="still being written"):
        session.ask(assistant, "What?", Context())
    await session.stop()


async def test_a_failure_of_ours_is_told_by_its_kind_alone(session: Session, assistant: Any) -> None:
    session.ask(assistant, "What?", Context())
    assistant.events.put_nowait(RuntimeError("DOE^JANE"))
    (event,) = (await over(session)).events
    assert isinstance(event, ErrorEvent)
    assert "RuntimeError" in event.message
    assert "DOE" not in event.message


async def test_what_is_kept_of_a_question_has_no_identity(session: Session, assistant: Any) -> None:
    asked = "Has Jane Doe a pneumonia on this film, and how would one confirm it?"
    session.ask(assistant, asked, Context(), lambda text: text.replace("Jane Doe", "[NAME]"))
    assert session.title == "A question"
    assistant.events.put_nowait(DONE)
    turn = await over(session)
    assert "Jane Doe" not in turn.question
    assert session.title == "Has [NAME] a pneumonia on this film, and how …"
    assert assistant.requests[0].question == asked


async def test_a_question_that_cannot_be_checked_is_not_kept(session: Session, assistant: Any) -> None:
    def broken(_: str) -> str:
        raise RuntimeError

    session.ask(assistant, "Has Jane Doe a pneumonia?", Context(), broken)
    assistant.events.put_nowait(DONE)
    assert (await over(session)).question == UNREADABLE


async def test_a_run_goes_on_for_a_while_when_no_page_looks(tmp_path: Path, assistant: Any) -> None:
    session = Session(tmp_path / "session", grace_s=0.3)
    session.ask(assistant, "What?", Context())
    looking = session.watch()
    await anext(looking)
    await looking.aclose()
    assert session.busy
    again = session.watch()
    await anext(again)
    await asyncio.sleep(0.5)
    assert session.busy, "a page that came back keeps it going"
    await again.aclose()
    async with asyncio.timeout(20):
        await session.run_over()
    assert (assistant.cancelled, session.turns[-1].state) == (1, "stopped")


async def test_runs_wait_for_a_place(tmp_path: Path, assistant: Any) -> None:
    places = asyncio.Semaphore(1)
    one, other = Session(tmp_path / "one"), Session(tmp_path / "other")
    one.ask(assistant, "What?", Context(), places=places)
    await asyncio.sleep(0)
    waiting = other.ask(assistant, "What?", Context(), places=places)
    await asyncio.sleep(0.05)
    assert waiting.state == "waiting"
    assistant.events.put_nowait(DONE)
    assistant.events.put_nowait(DONE)
    assert (await over(other)).state == "done"


async def test_forget_deletes_the_thread_and_begins_another(session: Session, assistant: Any) -> None:
    session.ask(assistant, "What?", Context())
    assistant.events.put_nowait(DONE)
    await over(session)
    before = session.thread
    await session.forget(assistant)
    assert assistant.forgotten == [before]
    assert session.thread != before
    assert session.turns == []


async def test_an_end_tells_the_pages_and_leaves_nothing(tmp_path: Path, assistant: Any) -> None:
    session = Session(tmp_path / "session")
    session.ask(assistant, "What?", Context())
    looking = session.watch()
    await anext(looking)
    await session.end(assistant)
    assert os.listdir(tmp_path) == []
    assert [one async for one in looking][1:] == []


async def test_suggestions_come_with_the_end_and_may_fail(session: Session, assistant: Any) -> None:
    session.suggest = lambda turns: (f"after {len(turns)}",)
    session.ask(assistant, "What?", Context())
    assistant.events.put_nowait(DONE)
    assert (await over(session)).suggestions == ("after 1",)

    def broken(_: Any) -> tuple[str, ...]:
        raise RuntimeError

    session.suggest = broken
    session.ask(assistant, "What?", Context())
    assistant.events.put_nowait(DONE)
    assert (await over(session)).suggestions == ()
