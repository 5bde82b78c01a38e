"""What threads leave on the disk: the state folder's bytes are searched for what was asked and answered."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from agent.assistant import Assistant
from agent.checkpoints import remove_threads, thread_names
from agent.errors import NoThreadError
from agent.parts import Parts
from agent.request import Request
from overread.events import DoneEvent, ErrorEvent, Event
from overread.settings import Settings

QUESTION = "What is a pneumothorax, and how is it confirmed?"
MARKS = (b"pneumothorax", b"confirmed?")
KEY = SecretStr("correct horse battery staple")


async def ask(own: Settings, parts: Parts, thread: str = "mine", question: str = QUESTION) -> Event:
    async with Assistant(own, parts) as assistant:
        return [event async for event in assistant.ask(Request(question, thread=thread))][-1]


def on_disk(state: Path) -> bytes:
    """The threads' files; the audit log is no thread, and is searched elsewhere."""
    return b"".join(path.read_bytes() for path in state.iterdir() if path.name.startswith("threads."))


async def test_without_a_key_threads_are_plain_and_with_one_they_are_not(own_settings: Settings, parts: Parts) -> None:
    await ask(own_settings, parts)
    assert all(mark in on_disk(own_settings.state) for mark in MARKS)
    sealed = own_settings.model_copy(update={"state": own_settings.state / "sealed", "state_key": KEY})
    await ask(sealed, parts)
    follow_up = await ask(sealed, parts, question="How is it treated in general?")
    assert isinstance(follow_up, DoneEvent)
    assert "S1" in follow_up.citations
    data = on_disk(sealed.state)
    assert len(data) > 10_000
    assert not any(mark in data.lower() for mark in (*MARKS, b"treated", KEY.get_secret_value().encode()))


@pytest.mark.parametrize("second", [None, SecretStr("another secret altogether")])
async def test_a_thread_opens_with_its_own_key_alone(
    own_settings: Settings, parts: Parts, second: SecretStr | None
) -> None:
    await ask(own_settings.model_copy(update={"state_key": KEY}), parts)
    other = own_settings.model_copy(update={"state_key": second})
    event = await ask(other, parts)
    assert isinstance(event, ErrorEvent)
    assert event.code == "bad_state_key"
    assert isinstance(await ask(other, parts, thread="new"), DoneEvent)


async def test_a_plain_thread_does_not_pass_for_an_encrypted_one(own_settings: Settings, parts: Parts) -> None:
    await ask(own_settings, parts)
    event = await ask(own_settings.model_copy(update={"state_key": KEY}), parts)
    assert isinstance(event, ErrorEvent)
    assert event.code == "bad_state_key"


async def test_a_key_file_and_keys_that_are_none(own_settings: Settings, parts: Parts, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(KEY.get_secret_value().encode() + b"\n")
    (tmp_path / "short").write_bytes(b"short\n")
    by_file = own_settings.model_copy(update={"state_key_file": tmp_path / "key"})
    await ask(own_settings.model_copy(update={"state_key": KEY}), parts)
    assert isinstance(await ask(by_file, parts), DoneEvent)
    for wrong in (
        {"state_key_file": tmp_path / "short"},
        {"state_key_file": tmp_path / "none"},
        {"state_key_file": tmp_path / "key", "state_key": KEY},
        {"state_key": SecretStr("short")},
    ):
        event = await ask(own_settings.model_copy(update=wrong), parts)
        assert isinstance(event, ErrorEvent)
        assert event.code == "bad_state_key"


async def test_a_removed_thread_is_gone_from_the_disk_and_others_stay(own_settings: Settings, parts: Parts) -> None:
    assert await thread_names(own_settings) == []
    assert not own_settings.state.exists()
    await ask(own_settings, parts)
    await ask(own_settings, parts, thread="other", question="What is cardiomegaly?")
    assert await thread_names(own_settings) == ["mine", "other"]
    with pytest.raises(NoThreadError):
        await remove_threads(own_settings, ["mine", "never"])
    assert await thread_names(own_settings) == ["mine", "other"]
    await remove_threads(own_settings, ["mine"])
    data = on_disk(own_settings.state).lower()
    assert not any(mark in data for mark in (*MARKS, b"mine"))
    assert b"cardiomegaly" in data
    assert await thread_names(own_settings) == ["other"]
