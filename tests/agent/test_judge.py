"""A language model as second judge, over a real HTTP server: it can take away, and add nothing."""

from typing import Any

import pytest

from agent.assistant import Assistant
from agent.engines.starts import ClaimStarts
from agent.parts import Parts
from agent.request import Request
from overread.events import ClaimEvent, DeltaEvent, DoneEvent, EngineEvent, Event, WithheldEvent
from overread.settings import Settings

QUESTION = "What is pneumonia, and how is it confirmed?"


async def ask(own: Settings, parts: Parts, url: str | None, **chosen: Any) -> list[Event]:
    told = {"llm_base_url": url, "llm_first_token_s": 10.0, "llm_stall_s": 10.0, "llm_tool_calls": 0, **chosen}
    async with Assistant(own.model_copy(update=told), parts) as one:
        return [event async for event in one.ask(Request(QUESTION))]


def answer(events: list[Event]) -> str:
    done = events[-1]
    assert isinstance(done, DoneEvent)
    assert done.answer == "".join(event.text for event in events if isinstance(event, DeltaEvent))
    return done.answer


@pytest.mark.parametrize(("word", "reason"), [("unsupported", "unsupported"), ("contradicted", "contradicted")])
async def test_it_withholds_what_the_gate_let_through(
    llm_server: Any, own_settings: Settings, parts: Parts, quotes: list[str], word: str, reason: str
) -> None:
    llm_server.script = [f"{quotes[0]} ", f"{quotes[1]} ", quotes[2]]
    llm_server.verdicts = ["supported", word, "supported"]
    events = await ask(own_settings, parts, llm_server.url("good"), llm_judge=True)
    assert answer(events) == f"{quotes[0]} {quotes[2]}"
    (withheld,) = [event for event in events if isinstance(event, WithheldEvent)]
    claim = next(event for event in events if isinstance(event, ClaimEvent) and event.claim_id == withheld.claim_id)
    assert (withheld.reason, claim.text, claim.verdict, claim.checks) == (reason, quotes[1], word, ("judge",))
    judged = [request for request in llm_server.requests if "structured_outputs" in request]
    assert [request["structured_outputs"] for request in judged] == [
        {"choice": ["supported", "contradicted", "unsupported"]}
    ] * 3


async def test_it_cannot_raise_what_the_gate_withheld(
    llm_server: Any, own_settings: Settings, parts: Parts, quotes: list[str]
) -> None:
    lie = "There is certainly a large pneumothorax [F9]."
    llm_server.script = [f"{quotes[0]} ", lie]
    llm_server.again = []
    llm_server.verdicts = ["supported"] * 9
    events = await ask(own_settings, parts, llm_server.url("good"), llm_judge=True)
    assert "pneumothorax" not in answer(events)
    asked = [request for request in llm_server.requests if "structured_outputs" in request]
    assert not any("pneumothorax" in str(request["messages"]) for request in asked)


async def test_a_judge_that_answers_something_else_withholds_everything_and_the_composer_writes(
    llm_server: Any, own_settings: Settings, parts: Parts, quotes: list[str]
) -> None:
    llm_server.script = [f"{quotes[0]} ", quotes[1]]
    llm_server.verdicts = ["yes, all of it"]
    plain = await ask(own_settings, parts, None)
    events = await ask(own_settings, parts, llm_server.url("good"), llm_judge=True)
    assert [event.reason for event in events if isinstance(event, WithheldEvent)] == ["error", "error"]
    assert [event.name for event in events if isinstance(event, EngineEvent)] == ["llm", "composer"]
    assert answer(events) == answer(plain)


async def test_off_it_asks_nothing(llm_server: Any, own_settings: Settings, parts: Parts, quotes: list[str]) -> None:
    llm_server.script = [quotes[0]]
    await ask(own_settings, parts, llm_server.url("good"))
    assert len(llm_server.requests) == 1


async def test_log_probabilities_are_told_and_change_nothing_else(
    llm_server: Any, own_settings: Settings, parts: Parts, quotes: list[str]
) -> None:
    llm_server.script = [f"{quotes[0]} ", quotes[1]]
    plain = await ask(own_settings, parts, llm_server.url("good"))
    llm_server.logprob = -0.25
    events = await ask(own_settings, parts, llm_server.url("good"), llm_logprobs=True)
    assert llm_server.requests[-1]["logprobs"] is True
    without, done = plain[-1], events[-1]
    assert isinstance(done, DoneEvent)
    assert isinstance(without, DoneEvent)
    assert (done.usage["claim_starts"], done.usage["claim_start_logprob_mean"]) == (2, -0.25)
    assert (done.answer, done.confidence) == (without.answer, without.confidence)
    assert "claim_starts" not in without.usage


def test_only_tokens_that_begin_a_sentence_count() -> None:
    starts = ClaimStarts()
    tokens = [("One", -0.1), (" two", -5.0), (".", -6.0), (" Three", -0.3), (" four", -7.0), (".", -8.0)]
    for token, logprob in tokens:
        starts.hear({"content": [{"token": token, "logprob": logprob}]})
    assert starts.summary() == {
        "claim_starts": 2,
        "claim_start_logprob_mean": -0.2,
        "claim_start_logprob_min": -0.3,
    }


@pytest.mark.parametrize(
    "told", [None, 3, {}, {"content": None}, {"content": [3]}, {"content": [{"token": "a", "logprob": "x"}]}]
)
def test_what_is_no_log_probability_is_passed_over(told: Any) -> None:
    starts = ClaimStarts()
    starts.hear(told)
    assert starts.summary() == {}
