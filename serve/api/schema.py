"""What the routes answer, for ``/openapi.json``: the shapes that are sent, and the failures each route may have."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from serve.api.failures import failure
from serve.errors import ApiError

ANYWHERE = (400, 401, 403, 405, 408, 413, 429, 500, 503)
"""What any route may answer: a wrong host, no key, another origin, a slow or large body, a full server."""


class Fault(BaseModel):
    """What went wrong, and never what was sent."""

    message: str
    type: str
    param: str | None
    code: str


class Failed(BaseModel):
    """A failure in OpenAI's shape."""

    error: Fault


class Model(BaseModel):
    """The one model there is."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class Models(BaseModel):
    """All models: the one."""

    object: Literal["list"]
    data: list[Model]


class Message(BaseModel):
    """The answer, or why there is none."""

    role: Literal["assistant"]
    content: str
    refusal: str | None


class Choice(BaseModel):
    """The one answer."""

    index: Literal[0]
    message: Message
    logprobs: None
    finish_reason: Literal["stop"]


class Usage(BaseModel):
    """Tokens; 0 with the composer."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Carried(BaseModel):
    """Overread's events; docs/events.md tells each type's fields."""

    events: list[dict[str, Any]]


class Completion(BaseModel):
    """The whole answer. With ``stream`` it comes in chunks, as server-sent events."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    system_fingerprint: None
    choices: list[Choice]
    usage: Usage
    overread: Carried


class Look(BaseModel):
    """One run about a study, and the addresses of its pictures by name."""

    study_id: str
    artifacts: dict[str, str]


class Study(BaseModel):
    """A stored study. ``created`` and ``expires`` are seconds since 1970."""

    id: str
    object: Literal["study"]
    reference: str
    bytes: int
    created: int
    expires: int
    looks: list[Look]


class NewStudy(Study):
    """A study that was just stored. ``size`` is [H, W] in pixels, ``spacing_mm`` [row, column]."""

    modality: str | None
    images: int
    size: list[int]
    frames: int
    spacing_mm: list[float] | None


class Studies(BaseModel):
    """The caller's studies, the oldest first."""

    object: Literal["list"]
    data: list[Study]


class Deleted(BaseModel):
    """A study that is no longer there."""

    id: str
    object: Literal["study"]
    deleted: Literal[True]


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class Ready(BaseModel):
    """Whether questions can be answered, and the condition of each part."""

    ready: bool
    parts: dict[str, Literal["starting", "ok", "fault", "unreachable", "composer"]]


def faults(*more: int) -> dict[int | str, dict[str, Any]]:
    """The failures of a route: those that any may have, and its own."""
    return {
        status: {"model": Failed, "description": HTTPStatus(status).phrase} for status in sorted({*ANYWHERE, *more})
    }


def tell_truly(app: FastAPI) -> None:
    """Let ``/openapi.json`` say how to come in, and leave out FastAPI's own shape of a failure, which is not sent."""

    def schema() -> dict[str, Any]:
        if app.openapi_schema is None:
            told = get_openapi(title=app.title, version=app.version, routes=app.routes)
            for path in told["paths"].values():
                for operation in path.values():
                    operation.get("responses", {}).pop("422", None)
            parts = told.setdefault("components", {})
            for name in ("HTTPValidationError", "ValidationError"):
                parts.get("schemas", {}).pop(name, None)
            parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            told["security"] = [{"key": []}, {}]
            app.openapi_schema = told
        return app.openapi_schema

    app.openapi = schema  # type: ignore[method-assign]


class OtherMethods:
    """Answers a method that a path does not have: 405, and which it has."""

    def __init__(self, methods: Sequence[str]) -> None:
        self._allow = ", ".join(sorted(methods))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        response: Response = failure(ApiError(405, "method_not_allowed", f"this path takes {self._allow}"))
        response.headers["Allow"] = self._allow
        await response(scope, receive, send)


def close_methods(app: FastAPI) -> None:
    """Answer every other method of the paths there are. The page lies behind all of them and would answer it."""
    methods: dict[str, set[str]] = {}
    for route in app.routes:
        if isinstance(route, APIRoute):
            methods.setdefault(route.path, set()).update(route.methods)
    for path, known in methods.items():
        app.router.routes.append(Route(path, OtherMethods(sorted(known)), include_in_schema=False))
