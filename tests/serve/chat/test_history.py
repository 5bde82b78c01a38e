import os
from pathlib import Path
from typing import Any

import pytest

from overread.events import DoneEvent
from overread.records import Context
from overread.settings import Settings
from serve.chat.history import Sessions
from serve.chat.session import Session
from serve.errors import NoConversationError

DONE = DoneEvent(answer="x", audit_id="a")


@pytest.fixture
def sessions(tmp_path: Path) -> Sessions:
    return Sessions(tmp_path, Settings(history_per_visitor=2, history_hours=1))


async def asked(sessions: Sessions, visitor: str, assistant: Any) -> Session:
    session = await sessions.begin(visitor, assistant)
    session.ask(assistant, "What?", Context())
    assistant.events.put_nowait(DONE)
    async for _ in session.watch():
        if not session.busy:
            return session
    raise AssertionError


async def test_visitors_share_nothing(sessions: Sessions, assistant: Any) -> None:
    one, other = await asked(sessions, "a", assistant), await asked(sessions, "b", assistant)
    assert one.thread != other.thread
    assert sessions.of("a") == [one]
    with pytest.raises(NoConversationError):
        sessions.owned("b", one.key)
    assert await sessions.current("a", assistant) is one


async def test_when_the_one_that_was_looked_at_is_deleted_the_newest_is_shown(
    sessions: Sessions, assistant: Any
) -> None:
    first, second = await asked(sessions, "a", assistant), await asked(sessions, "a", assistant)
    await sessions.end(second, assistant)
    assert await sessions.current("a", assistant) is first
    await sessions.end(first, assistant)
    assert await sessions.current("a", assistant) not in (first, second)


async def test_a_new_conversation_is_begun_only_beside_one_with_a_question(sessions: Sessions, assistant: Any) -> None:
    first = await sessions.begin("a", assistant)
    assert await sessions.begin("a", assistant) is first
    await asked(sessions, "a", assistant)
    assert await sessions.begin("a", assistant) is not first


async def test_too_many_of_a_visitor_let_the_oldest_idle_one_go(sessions: Sessions, assistant: Any) -> None:
    first = await asked(sessions, "a", assistant)
    other = await asked(sessions, "b", assistant)
    second = await asked(sessions, "a", assistant)
    third = await asked(sessions, "a", assistant)
    assert sessions.of("a") == [third, second]
    assert first.ended
    assert sessions.of("b") == [other]


async def test_too_many_of_all_let_the_oldest_idle_one_go(
    sessions: Sessions, assistant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve.chat.history.MAX_SESSIONS", 2)
    busy = await sessions.begin("a", assistant)
    busy.ask(assistant, "What?", Context())
    idle = await sessions.begin("b", assistant)
    await sessions.begin("c", assistant)
    assert sessions.of("a") == [busy]
    assert idle.ended
    assert len(sessions) == 2
    await busy.stop()


async def test_what_is_past_its_time_goes_with_its_thread_and_folder(
    sessions: Sessions, assistant: Any, tmp_path: Path
) -> None:
    old, new = await asked(sessions, "a", assistant), await asked(sessions, "b", assistant)
    old.used -= 3700
    thread = old.thread
    await sessions.sweep(assistant)
    assert (len(sessions), sessions.of("b")) == (1, [new])
    assert assistant.forgotten == [thread]
    assert len(os.listdir(tmp_path)) == 1
    await sessions.end_all(assistant)
    assert os.listdir(tmp_path) == []
