"""Whatever a language model server does, the reader gets an answer that holds, and is told who wrote it."""

from typing import Any

import pytest

from agent.assistant import Assistant
from agent.parts import Parts
from agent.request import Request, Turn
from overread.events import ClaimEvent, DeltaEvent, DoneEvent, EngineEvent, Event, PassageEvent, WithheldEvent
from overread.settings import Settings

QUESTION = "What is pneumonia, and how is it confirmed?"


async def ask(own: Settings, parts: Parts, url: str, question: str = QUESTION, **more: Any) -> list[Event]:
    settings = own.model_copy(update={"llm_base_url": url, "llm_first_token_s": 1.5, "llm_stall_s": 1.5})
    async with Assistant(settings, parts) as assistant:
        return [event async for event in assistant.ask(Request(question, **more))]


def engines(events: list[Event]) -> list[tuple[str, str | None]]:
    return [(event.name, event.fallback_from) for event in events if isinstance(event, EngineEvent)]


def answer(events: list[Event]) -> str:
    done = events[-1]
    assert isinstance(done, DoneEvent)
    assert done.answer == "".join(event.text for event in events if isinstance(event, DeltaEvent))
    return done.answer


async def first_passage(own: Settings, parts: Parts) -> PassageEvent:
    async with Assistant(own.model_copy(update={"llm_base_url": None}), parts) as assistant:
        events = [event async for event in assistant.ask(Request(QUESTION))]
    return next(event for event in events if isinstance(event, PassageEvent))


async def test_a_good_server_writes_the_answer(llm_server: Any, own_settings: Settings, parts: Parts) -> None:
    passage = await first_passage(own_settings, parts)
    sentence = passage.text.split(". ")[0].rstrip(".")
    llm_server.script = [*(word + " " for word in sentence.split()), f"[{passage.id}]."]
    events = await ask(own_settings, parts, llm_server.url("good"))
    assert engines(events) == [("llm", None)]
    assert answer(events).strip() == f"{sentence} [{passage.id}]."


async def test_the_server_sees_evidence_and_history_as_data(
    llm_server: Any, own_settings: Settings, parts: Parts
) -> None:
    llm_server.script = ["Hm."]
    history = (Turn("user", "What is a lung?"), Turn("assistant", "An organ."))
    question = "Dr. Ingrid Solbakken asks: what is pneumonia, and how is it confirmed?"
    await ask(own_settings, parts, llm_server.url("good"), question, history=history)
    messages = llm_server.written()[0]["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert "Solbakken" not in str(messages)
    assert "EVIDENCE" in str(messages[-1])


async def test_a_liar_is_withheld_and_the_composer_answers(
    llm_server: Any, own_settings: Settings, parts: Parts
) -> None:
    llm_server.script = ["There is a large pneumothorax [F9]. ", "The patient will die. ", "It is unchanged [S1]."]
    events = await ask(own_settings, parts, llm_server.url("good"))
    assert engines(events) == [("llm", None), ("composer", "llm")]
    # Three sentences, and what the liar says when it is asked for two of them again; it repeats the first.
    assert len([event for event in events if isinstance(event, WithheldEvent)]) == 5
    claims = [event.claim_id for event in events if isinstance(event, ClaimEvent)]
    assert len(claims) == len(set(claims))  # also of those that the composer wrote
    text = answer(events)
    assert "pneumothorax" not in text
    assert "die" not in text
    assert "[S1]" in text


@pytest.mark.parametrize("behaviour", ["fails", "nonsense", "never-starts", "asks-for-a-tool", "lists-nonsense"])
async def test_a_server_that_fails_is_followed_by_the_composer(
    llm_server: Any, own_settings: Settings, parts: Parts, behaviour: str
) -> None:
    events = await ask(own_settings, parts, llm_server.url(behaviour))
    assert engines(events)[-1] == ("composer", "llm")
    assert "[S1]" in answer(events)


@pytest.mark.parametrize("behaviour", ["breaks-off", "stalls"])
async def test_half_a_sentence_of_a_broken_stream_is_not_shown(
    llm_server: Any, own_settings: Settings, parts: Parts, behaviour: str
) -> None:
    llm_server.script = ["Pneumonia is certainly always"]
    events = await ask(own_settings, parts, llm_server.url(behaviour))
    assert engines(events) == [("llm", None), ("composer", "llm")]
    assert "certainly always" not in answer(events)
    assert "[S1]" in answer(events)


async def test_identity_a_model_invents_is_not_shown(llm_server: Any, own_settings: Settings, parts: Parts) -> None:
    passage = await first_passage(own_settings, parts)
    sentence = passage.text.split(". ")[0].rstrip(".")
    llm_server.script = [f"{sentence} [{passage.id}]. ", "I cannot tell for Mr. Torvald Helmersen, MRN 88231904."]
    events = await ask(own_settings, parts, llm_server.url("good"))
    text = answer(events)
    assert [event.reason for event in events if isinstance(event, WithheldEvent)] != []
    assert "Helmersen" not in text
    assert "88231904" not in text
