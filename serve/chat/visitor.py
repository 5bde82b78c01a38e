"""Who asks one of the page's own routes: the owner of what the address names, from a page of this server alone."""

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, Request

from serve.chat.cookie import visitor_of
from serve.chat.session import Session

if TYPE_CHECKING:
    from serve.chat.page import ChatPage

SAFE = frozenset({"GET", "HEAD"})


def page_of(request: Request) -> "ChatPage":
    """The page of the application that answers."""
    page: ChatPage = request.app.state.page
    return page


def same_origin(request: Request) -> None:
    """Turn away what another site's page sends, and what changes something and does not say where it comes from."""
    said = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if said is not None and said not in ("same-origin", "none"):
        raise HTTPException(403, "only this server's own page may ask this")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403, "only this server's own page may ask this")
    if request.method not in SAFE and said != "same-origin" and origin is None:
        raise HTTPException(403, "only this server's own page may ask this")


def session_of(request: Request, key: str) -> Session:
    """The session that ``key`` names."""
    session = page_of(request).sessions.find(key)
    if session is None or session.owner != visitor_of(request):
        raise HTTPException(404, "no such page; it was closed, so load it again")
    return session


Visitor = Annotated[Session, Depends(session_of)]
