"""A language model is asked once to say a withheld sentence from its evidence, over a real HTTP server."""

import asyncio
import time
from typing import Any

import pytest

from agent.assistant import Assistant
from agent.engines.rewording import MOST
from agent.parts import Parts
from agent.prompts import check_words
from agent.request import Request
from overread.events import ClaimEvent, DeltaEvent, DoneEvent, EngineEvent, Event, PassageEvent, WithheldEvent
from overread.settings import Settings

QUESTION = "What is pneumonia, and how is it confirmed?"


def assistant(own: Settings, parts: Parts, url: str | None) -> Assistant:
    settings = own.model_copy(update={"llm_base_url": url, "llm_first_token_s": 0.7, "llm_stall_s": 0.7})
    return Assistant(settings, parts)


async def ask(own: Settings, parts: Parts, url: str | None) -> list[Event]:
    async with assistant(own, parts, url) as one:
        return [event async for event in one.ask(Request(QUESTION))]


def answer(events: list[Event]) -> str:
    done = events[-1]
    assert isinstance(done, DoneEvent)
    assert done.answer == "".join(event.text for event in events if isinstance(event, DeltaEvent))
    return done.answer.strip()


def asked_again(llm_server: Any) -> list[str]:
    return [str(one["messages"]) for one in llm_server.requests if "WHAT WAS WRONG" in str(one["messages"])]


def lie(quote: str) -> str:
    return f"Moonlight brings it on, as sailors know {quote[quote.rindex('[') : quote.rindex(']') + 1]}."


async def test_the_new_sentence_stands_where_the_old_one_was(
    llm_server: Any, own_settings: Settings, parts: Parts, quotes: list[str]
) -> None:
    first, second, third = quotes
    llm_server.script = [f"{first} ", f"{lie(second)} ", f"{third}"]
    llm_server.again = [[second, " And more that nobody asked for."]]
    events = await ask(own_settings, parts, llm_server.url("good"))
    assert answer(events) == f"{first} {second} {third}"
    withheld = [event for event in events if isinstance(event, WithheldEvent)]
    claims = {event.claim_id: event for event in events if isinstance(event, ClaimEvent)}
    assert [(event.reason, claims[str(event.claim_id)].text) for event in withheld] == [("unsupported", lie(second))]
    assert len(claims) == len([event for event in events if isinstance(event, ClaimEvent)]) == 4
    assert [event.name for event in events if isinstance(event, EngineEvent)] == ["llm"]
    (request,) = asked_again(llm_server)
    assert lie(second) in request
    assert "passage" in request
    assert QUESTION not in request


async def test_the_evidence_of_the_sentence_alone_is_sent(
    llm_server: Any, own_settings: Settings, parts: Parts, quotes: list[str]
) -> None:
    told = await ask(own_settings, parts, None)
    passages = [event for event in told if isinstance(event, PassageEvent)]
    assert len(passages) > 1
    llm_server.script = [f"Moonlight brings it on [{passages[1].id}]."]
    llm_server.again = []
    await ask(own_settings, parts, llm_server.url("good"))
    (request,) = asked_again(llm_server)
    assert [passage.id for passage in passages if f'"id":"{passage.id}"' in request] == [passages[1].id]


async def test_a_second_failure_stays_withheld(
    llm_server: Any, own_settings: Settings, parts: Parts, quotes: list[str]
) -> None:
    llm_server.script = [f"{quotes[0]} ", lie(quotes[1])]
    llm_server.again = [["Starlight brings it on [S1]."]]
    events = await ask(own_settings, parts, llm_server.url("good"))
    assert answer(events) == quotes[0]
    assert [event.reason for event in events if isinstance(event, WithheldEvent)] == ["unsupported"] * 2
    assert len(asked_again(llm_server)) == 1


@pytest.mark.parametrize("said", ["I cannot tell what it is.", "Please ask a doctor.", "NOTHING", "nothing."])
async def test_what_is_no_claim_does_not_take_its_place(
    llm_server: Any, own_settings: Settings, parts: Parts, quotes: list[str], said: str
) -> None:
    llm_server.script = [f"{quotes[0]} ", lie(quotes[1])]
    llm_server.again = [[said]]
    assert answer(await ask(own_settings, parts, llm_server.url("good"))) == quotes[0]


async def test_what_is_contradicted_is_not_asked_for_again(
    llm_server: Any, own_settings: Settings, parts: Parts, quotes: list[str]
) -> None:
    llm_server.script = [f"{quotes[0]} ", 'The source says that "pneumonia is harmless to all" [S1].']
    llm_server.again = [[quotes[1]]]
    events = await ask(own_settings, parts, llm_server.url("good"))
    assert [event.reason for event in events if isinstance(event, WithheldEvent)] == ["contradicted"]
    assert asked_again(llm_server) == []


async def test_identity_in_the_second_try_does_not_leave(
    llm_server: Any, own_settings: Settings, parts: Parts, quotes: list[str]
) -> None:
    llm_server.script = [f"{quotes[0]} ", lie(quotes[1])]
    llm_server.again = [["Mr. Torvald Helmersen, MRN 88231904, has pneumonia [S1]."]]
    events = await ask(own_settings, parts, llm_server.url("good"))
    assert not any(word in event.model_dump_json() for event in events for word in ("Helmersen", "88231904"))


async def test_a_server_that_is_slow_to_say_it_again_costs_its_time_once(
    llm_server: Any, own_settings: Settings, parts: Parts, quotes: list[str]
) -> None:
    llm_server.script = [f"{quotes[0]} ", f"{lie(quotes[1])} ", f"{lie(quotes[2])} ", quotes[2]]
    llm_server.again = [[], []]
    begun = time.monotonic()
    events = await ask(own_settings, parts, llm_server.url("good"))
    assert answer(events) == f"{quotes[0]} {quotes[2]}"
    assert len(asked_again(llm_server)) == 1
    assert time.monotonic() - begun < 10


async def test_an_answer_is_mended_in_a_few_places_only(
    llm_server: Any, own_settings: Settings, parts: Parts, quotes: list[str]
) -> None:
    llm_server.script = [f"{quotes[0]} ", *[f"{lie(quotes[0])} "] * (MOST + 3)]
    llm_server.again = []
    await ask(own_settings, parts, llm_server.url("good"))
    assert len(asked_again(llm_server)) == MOST


async def test_who_leaves_while_it_is_said_again_is_not_kept_waiting(
    llm_server: Any, own_settings: Settings, parts: Parts, quotes: list[str]
) -> None:
    llm_server.script = [f"{quotes[0]} ", lie(quotes[1])]
    llm_server.again = [[]]
    slow = own_settings.model_copy(
        update={"llm_base_url": llm_server.url("good"), "llm_first_token_s": 25.0, "llm_stall_s": 25.0}
    )
    async with Assistant(slow, parts) as one:
        events = one.ask(Request(QUESTION))
        async for event in events:
            if isinstance(event, WithheldEvent):
                break
        leaving = asyncio.create_task(events.aclose())
        await asyncio.wait_for(leaving, 5)


def test_every_check_can_be_told_in_words() -> None:
    words = check_words()
    assert {"words", "passage", "finding_match", "no_prior", "site"} <= set(words)
    assert all(text and len(text) < 120 for text in words.values())
