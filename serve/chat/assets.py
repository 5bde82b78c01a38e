"""The page's own scripts: ES modules of ``static``, under an address that holds the hash of all of them."""

import hashlib
from functools import lru_cache
from importlib.resources import files

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

ENTRIES = ("opening.js",)
"""The modules that the page starts. What they import is loaded with them."""

_KINDS = {".js": "text/javascript; charset=utf-8"}

router = APIRouter(include_in_schema=False)


@lru_cache(maxsize=1)
def _assets() -> dict[str, bytes]:
    folder = files("serve.chat").joinpath("static")
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.name.endswith(tuple(_KINDS))}


@lru_cache(maxsize=1)
def digest() -> str:
    """Changes with every byte of every module."""
    whole = hashlib.sha256()
    for name, data in sorted(_assets().items()):
        whole.update(name.encode() + b"\0" + hashlib.sha256(data).digest())
    return whole.hexdigest()[:16]


def head() -> str:
    """What starts the modules, for the head of the page."""
    return "".join(f'<script type="module" src="/chat-assets/{digest()}/{name}"></script>' for name in ENTRIES)


@router.get("/chat-assets/{version}/{name}")
def asset(version: str, name: str) -> Response:
    """A module. Kept for good under its hash, which changes when it does."""
    data = _assets().get(name)
    if data is None or version != digest():
        raise HTTPException(404, "no such file; load the page again")
    kind = next(kind for ending, kind in _KINDS.items() if name.endswith(ending))
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Cross-Origin-Resource-Policy": "same-origin"}
    return Response(data, media_type=kind, headers=headers)
