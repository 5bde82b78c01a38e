"""The routes of a visitor's studies: which there are, a small picture of each, and removing one."""

import asyncio
from typing import Any

from fastapi import APIRouter, HTTPException, Response

from overread.errors import OverreadError
from serve.chat.cards import cards, thumbnail
from serve.chat.visitor import Visitor

PRIVATE = {"Cache-Control": "private, no-store", "Cross-Origin-Resource-Policy": "same-origin"}

router = APIRouter()


@router.get("/studies")
async def studies(visitor: Visitor, response: Response) -> dict[str, Any]:
    """The visitor's studies."""
    response.headers.update(PRIVATE)
    return cards(visitor.shelf)


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
    return cards(visitor.shelf)
