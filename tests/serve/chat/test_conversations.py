"""The page's own routes, with an assistant that is told what to answer: who may ask what, and what comes."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from overread.events import Event
from serve.chat.conversations import listing
from serve.chat.cookie import COOKIE
from serve.chat.routes import page_routes

ORIGIN = {"Origin": "http://testserver"}


@pytest.fixture
async def app(page_app: FastAPI, assistant: Any) -> AsyncIterator[FastAPI]:
    page = page_app.state.page
    page.redact = lambda text: text.replace("Doe", "[NAME]")
    async with page.opened(assistant):
        yield page_app


def visitor(app: FastAPI, **headers: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://testserver", headers={**ORIGIN, **headers}
    )


async def answered_by(client: httpx.AsyncClient, app: FastAPI, assistant: Any, events: list[Event]) -> str:
    key = (await client.get("/page")).json()["current"]
    told = {"question": "Is there a pneumonia? Doe, 3 years old.", "age_band": "child"}
    assert (await client.post(f"/page/{key}/questions", json=told)).status_code == 202
    for event in events:
        assistant.events.put_nowait(event)
    await app.state.page.sessions.find(key).run_over()
    return str(key)


async def test_a_browser_gets_a_cookie_that_no_script_and_no_other_site_has(app: FastAPI) -> None:
    async with visitor(app) as client:
        first = await client.get("/page")
        cookie = first.headers["set-cookie"]
        assert cookie.startswith(f"{COOKIE}=")
        assert len(cookie.split(";")[0].split("=")[1]) == 43
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
        assert "set-cookie" not in (await client.get("/page")).headers
        assert (await client.get("/page")).json()["current"] == first.json()["current"]


@pytest.mark.parametrize("token", ["", "short", "x" * 44, "é" * 43, '"' + "x" * 43])
async def test_a_made_up_cookie_is_none(app: FastAPI, token: str) -> None:
    async with visitor(app) as client:
        answer = await client.get("/page", headers={"Cookie": f"{COOKIE}={token}".encode()})
        assert "set-cookie" in answer.headers


async def test_every_route_is_closed_to_another_visitor(app: FastAPI, assistant: Any, answered: list[Event]) -> None:
    async with visitor(app) as owner, visitor(app) as other:
        key = await answered_by(owner, app, assistant, answered)
        await other.get("/page")
        checked = set()
        for route in [*listing.routes, *page_routes().routes]:
            path = route.path  # type: ignore[attr-defined]
            if "{key}" not in path:
                continue
            address = path.replace("{key}", key).replace("{number:int}", "1").replace("{kind}", "md")
            address = address.replace("{handle}", "x").replace("{name}", "x")
            for method in route.methods - {"HEAD"}:  # type: ignore[attr-defined]
                for client, status in ((other, 404), (visitor(app), 403)):
                    answer = await client.request(method, address, json={})
                    assert answer.status_code == status, (method, path, answer.text)
                    assert "pneumonia" not in answer.text
                checked.add((method, path))
        assert {"GET", "POST", "DELETE"} <= {method for method, _ in checked}
        assert len((await owner.get(f"/page/{key}/turns/1/answer.json")).json()["events"]) == len(answered)
        assert (await other.get("/page")).json()["conversations"][0]["turns"] == 0


async def test_another_sites_page_may_change_nothing(app: FastAPI) -> None:
    async with visitor(app) as client:
        await client.get("/page")
        for method, address in (("POST", "/page"), ("DELETE", "/page")):
            answer = await client.request(method, address, headers={"Origin": "http://elsewhere.example"})
            assert answer.status_code == 403


async def test_what_is_wrong_is_told_in_words(app: FastAPI, assistant: Any, answered: list[Event]) -> None:
    async with visitor(app) as client:
        key = (await client.get("/page")).json()["current"]

        async def told(body: Any) -> tuple[int, str]:
            answer = await client.post(f"/page/{key}/questions", content=json.dumps(body))
            return answer.status_code, answer.json()["error"]["message"]

        assert await told({"question": "  "}) == (400, "Type a question first.")
        assert (await told({"question": "x" * 9000}))[1].startswith("that is longer than 8000 characters")
        assert (await told({"question": "x" * 200_000}))[0] == 400
        assert (await told({"question": "x", "age_band": "DOE"}))[0] == 400
        assert "DOE" not in (await told({"DOE": "x"}))[1]
        assert (await client.post(f"/page/{key}/questions", json={"question": "What?"})).status_code == 202
        assert (await client.get(f"/page/{key}/turns/1/answer.md")).status_code == 409
        code, message = await told({"question": "And?"})
        assert (code, "still being written" in message) == (409, True)
        assert (await client.post(f"/page/{key}/stop")).status_code == 200
        assert (await client.get(f"/page/{key}/turns/2/answer.md")).status_code == 404


async def test_the_list_has_titles_without_identity_and_deletion_deletes(
    app: FastAPI, assistant: Any, answered: list[Event], tmp_path: Path
) -> None:
    async with visitor(app) as client:
        key = await answered_by(client, app, assistant, answered)
        (await client.post("/page")).raise_for_status()
        listed = (await client.get("/page")).json()["conversations"]
        assert [one["title"] for one in listed] == ["Nothing asked yet", "Is there a pneumonia? [NAME], 3 years old."]
        thread = app.state.page.sessions.find(key).thread
        assert (await client.delete(f"/page/{key}")).status_code == 200
        assert assistant.forgotten == [thread]
        assert (await client.get(f"/page/{key}/turns/1/answer.md")).status_code == 404
        second = await answered_by(client, app, assistant, answered)
        new = (await client.delete("/page")).json()
        assert (new["turns"], new["key"] != second) == (0, True)
        assert len((await client.get("/page")).json()["conversations"]) == 1


async def test_a_stream_begins_with_the_whole_page_and_ends_with_the_conversation(
    app: FastAPI, assistant: Any, answered: list[Event]
) -> None:
    from serve.chat.conversations import _changes

    async with visitor(app) as client:
        key = await answered_by(client, app, assistant, answered)
        page = app.state.page
        told = [json.loads(line[6:]) async for line in _until_deleted(_changes(page, page.sessions.find(key)), client)]
        assert told[0]["whole"]
        ids = {piece["id"] for piece in told[0]["pieces"]}
        assert {"t1", "t1-q", "t1-a0", "t1-ev-S1", "engine-line"} <= ids
        assert told[-1] == {}


async def _until_deleted(stream: AsyncIterator[bytes], client: httpx.AsyncClient) -> AsyncIterator[bytes]:
    async for line in stream:
        if line.startswith(b"data: "):
            yield line
            await client.delete("/page")
        elif line.startswith(b"event: deleted"):
            yield line.partition(b"\n")[2]


async def test_an_owner_of_a_key_is_a_visitor_without_a_cookie(app: FastAPI) -> None:
    async def keyed(scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("state", {})["owner"] = dict(scope["headers"]).get(b"x-key", b"local").decode()
        await app(scope, receive, send)

    transport = httpx.ASGITransport(keyed)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        one = await client.get("/page", headers={"X-Key": "one"})
        assert "set-cookie" not in one.headers
        again = await client.get("/page", headers={"X-Key": "one"})
        other = await client.get("/page", headers={"X-Key": "other"})
        assert one.json()["current"] == again.json()["current"] != other.json()["current"]
