"""The routes of a visitor's studies: which there are, dropping more, samples, a small picture of each, removing one."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.requests import ClientDisconnect

from overread.errors import OverreadError
from overread.settings import Settings
from serve import words
from serve.chat.cards import cards, thumbnail
from serve.chat.drops import LONGEST_LIST, most_together, open_all, receive
from serve.chat.faults import fault, size_words
from serve.chat.samples import sample
from serve.chat.shelf import delete
from serve.chat.visitor import Visitor, page_of
from serve.errors import DropError, NoStudyError

PRIVATE = {"Cache-Control": "private, no-store", "Cross-Origin-Resource-Policy": "same-origin"}

router = APIRouter()


@router.get("/studies")
async def studies(visitor: Visitor, response: Response) -> dict[str, Any]:
    """The visitor's studies."""
    response.headers.update(PRIVATE)
    return cards(visitor.shelf)


@router.post("/studies")
async def drop(request: Request, visitor: Visitor) -> Response:
    """Receive a drop and open what is in it: one JSON object a line, as ``open_all`` gives them."""
    settings = page_of(request).settings
    too_much = _too_much(request, settings)
    if too_much is not None:
        return too_much
    shelf = visitor.shelf
    if shelf.receiving:
        return _failed(409, words.phrases()["page_faults"]["busy"])
    shelf.receiving, era, place = True, shelf.era, shelf.place()
    try:
        async with aclosing(request.stream()) as stream:
            await receive(stream, place, settings)
    except DropError as error:
        shelf.receiving = False
        delete(place)
        return _failed(400, str(error))
    except BaseException as error:
        shelf.receiving = False
        delete(place)
        if isinstance(error, ClientDisconnect):
            return Response(status_code=400)
        raise

    async def lines() -> AsyncIterator[bytes]:
        try:
            yield _line({"type": "received"})
            page = page_of(request)
            async with aclosing(open_all(visitor, place, era, page.ready().parts, page.opening)) as all_:
                async for one in all_:
                    visitor.changed()
                    yield _line(one)
            yield _line({"type": "end", **cards(shelf)})
        finally:
            shelf.receiving = False
            delete(place)

    begun = lines()
    first = await anext(begun)  # begun here, its end comes even when nobody reads it
    return StreamingResponse(_behind(first, begun), media_type="application/x-ndjson", headers=PRIVATE)


@router.post("/samples/{name}")
async def open_sample(request: Request, visitor: Visitor, name: str) -> dict[str, Any]:
    """Open a sample study, made at this moment; a question to begin with comes along."""
    try:
        chosen = sample(name)
    except NoStudyError:
        raise HTTPException(404, "no such sample") from None
    page, shelf = page_of(request), visitor.shelf
    if shelf.receiving:
        outcome: dict[str, Any] = {"type": "fault", **fault(words.phrases()["page_faults"]["busy"])}
        return {**outcome, **cards(shelf)}
    shelf.receiving, era, place = True, shelf.era, shelf.place()
    outcome = {}
    try:
        await asyncio.to_thread(chosen.write, place)
        parts = page.ready().parts
        async with aclosing(open_all(visitor, place, era, parts, page.opening)) as all_:
            async for one in all_:
                outcome = one if one["type"] != "opening" else outcome
    except OverreadError as error:
        outcome = {"type": "fault", **fault(error)}
    finally:
        shelf.receiving = False
        delete(place)
        visitor.changed()
    return {**outcome, "question": chosen.question, **cards(shelf)}


@router.get("/studies/{handle}/thumbnail.png")
async def small(visitor: Visitor, handle: str) -> Response:
    """A small picture of a study."""
    opened = visitor.studies.get(handle)
    if opened is None:
        raise HTTPException(404, "no such study; it was removed")
    try:
        picture = await asyncio.to_thread(thumbnail, opened)
    except OverreadError as error:
        raise HTTPException(404, str(error)) from None
    return Response(picture, media_type="image/png", headers=PRIVATE)


@router.delete("/studies/{handle}")
async def remove(visitor: Visitor, handle: str) -> dict[str, Any]:
    """Forget a study, and delete its files."""
    if not visitor.shelf.remove(handle):
        raise HTTPException(404, "no such study; it was removed")
    visitor.changed()
    return cards(visitor.shelf)


def _too_much(request: Request, settings: Settings) -> Response | None:
    """The answer to a body that is told to be too large, or whose size is not told: nothing of it is read."""
    told = request.headers.get("content-length", "")
    if not told.isdigit():
        return _failed(411, words.phrases()["page_faults"]["again"])
    most = most_together(settings)
    if int(told) > most + LONGEST_LIST:
        return _failed(413, words.phrases()["page_faults"]["too_large_together"].format(most=size_words(most)))
    return None


def _failed(status: int, message: str) -> Response:
    return JSONResponse(fault(message), status, headers={**PRIVATE, "Connection": "close"})


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


async def _behind(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for line in rest:
        yield line
