"""Every failure in OpenAI's shape. A message says what to do and never repeats what was sent."""

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from overread.errors import OverreadError
from serve.errors import ApiError, NoStudyError, StudiesError

if TYPE_CHECKING:
    from fastapi import FastAPI

log = logging.getLogger(__name__)

_STATUS = {
    "bad_request": 400,
    "unreadable_input": 400,
    "no_such_frame": 400,
    "too_large": 413,
    "no_such_study": 404,
    "cannot_store": 400,
    "timeout": 504,
    "unavailable": 503,
    "busy": 503,
    "bad_arguments": 400,
    "no_visitor": 403,
    "no_conversation": 404,
    "answering": 409,
}
_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


RETRY_AFTER_S = 2
"""When to try again where nothing better is known."""


def status_of(code: str) -> int:
    """The HTTP status for a code of an ``error`` event or of one of our errors."""
    return _STATUS.get(code, 500)


def error_body(status: int, code: str, message: str, param: str | None = None) -> dict[str, Any]:
    """The body of a failure."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def failure(error: ApiError) -> JSONResponse:
    """The response to an ``ApiError``."""
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="Overread"'
    return JSONResponse(
        error_body(error.status, error.code, str(error), error.param), status_code=error.status, headers=headers
    )


def crashed(error: Exception) -> JSONResponse:
    """The response to what nobody foresaw: its message may hold a patient's data, so only its kind is told."""
    log.error("a request stopped with %s", type(error).__name__)
    message = f"something went wrong inside Overread ({type(error).__name__}); run overread doctor"
    return JSONResponse(error_body(500, "internal", message), status_code=500)


def add_failures(app: "FastAPI") -> None:
    """Let every failure of the routes leave in this shape."""

    def told(_: Request, error: Exception) -> Response:
        if isinstance(error, ApiError):
            return failure(error)
        if isinstance(error, HTTPException):
            return _http(error)
        code = error.code if isinstance(error, OverreadError) else "internal"
        status = status_of(code)
        if isinstance(error, NoStudyError | StudiesError) or status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return failure(ApiError(status, code, str(error)))
        return crashed(error)

    app.add_exception_handler(OverreadError, told)
    app.add_exception_handler(HTTPException, told)


def _http(error: HTTPException) -> Response:
    status = HTTPStatus(error.status_code)
    code = status.phrase.lower().replace(" ", "_").replace("'", "")
    headers: Mapping[str, str] | None = error.headers
    body = error_body(status, code, f"{status.phrase.lower()}; see docs/serving.md")
    return JSONResponse(body, status_code=status, headers=headers)
