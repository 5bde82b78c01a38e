"""A2A over JSON-RPC, at ``/a2a`` of the one application, and its card."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

from serve.api.jsonrpc import without_input
from serve.api.service import Service, owner_of, service_of

# The SDK's tracing would put what was sent into its spans.
os.environ.setdefault("OTEL_INSTRUMENTATION_A2A_SDK_ENABLED", "false")

from a2a.server.context import ServerCallContext
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.request_handlers.response_helpers import agent_card_to_dict
from a2a.server.routes.common import ServerCallContextBuilder
from a2a.server.routes.jsonrpc_dispatcher import JsonRpcDispatcher
from a2a.utils.constants import AGENT_CARD_WELL_KNOWN_PATH, VERSION_HEADER
from sse_starlette.sse import EventSourceResponse
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serve.a2a.card import PATH, agent_card
from serve.a2a.executor import Executor
from serve.a2a.intake import Intake, ToldError
from serve.a2a.tasks import Owner, Tasks

if TYPE_CHECKING:
    from fastapi import FastAPI

SWEEP_S = 60.0
BAD_PARAMS = -32602


def mount_a2a(app: "FastAPI", service: Service) -> AbstractAsyncContextManager[None]:
    """Add the card and ``/a2a`` to the application. The context it gives is entered while the application runs."""
    tasks = Tasks()
    handler = DefaultRequestHandler(
        agent_executor=Executor(service),
        task_store=tasks,
        agent_card=agent_card("http://127.0.0.1", with_keys=False),
        request_context_builder=Intake(service),
    )
    dispatcher = QuietDispatcher(handler, CallContexts())
    dispatcher.send_s = service.settings.api_send_s

    async def answer(request: Request) -> Response:
        request.scope["route"] = route
        return await dispatcher.handle_requests(request)

    route = Route(PATH, answer, methods=["POST"], include_in_schema=False)
    app.router.routes.append(route)
    app.add_api_route(AGENT_CARD_WELL_KNOWN_PATH, _card, methods=["GET"], include_in_schema=False)

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        sweeping = asyncio.create_task(_sweep(tasks))
        try:
            yield
        finally:
            sweeping.cancel()
            await handler.aclose()

    return running()


async def _sweep(tasks: Tasks) -> None:
    while True:
        await asyncio.sleep(SWEEP_S)
        await tasks.sweep()


async def _card(request: Request) -> JSONResponse:
    """The card. Its address is ``public_url``, or else the one that this request came to."""
    service = service_of(request)
    base = service.settings.public_url or str(request.base_url)
    keys = await asyncio.to_thread(service.keys.all)
    return JSONResponse(agent_card_to_dict(agent_card(base, with_keys=bool(keys))))


class CallContexts(ServerCallContextBuilder):
    """Whose a call is, and which version of the protocol it speaks; of its headers no more is kept."""

    def build(self, request: Request) -> ServerCallContext:
        """The context of one call."""
        headers = {VERSION_HEADER: request.headers.get(VERSION_HEADER, "")}
        return ServerCallContext(user=Owner(owner_of(request)), state={"headers": headers})


class QuietDispatcher(JsonRpcDispatcher):
    """Tells each failure in our own words. ``send_s`` is how long a client may take to take a piece of an answer."""

    send_s: float = 30.0

    def _generate_error_response(self, request_id: str | int | None, error: Any) -> JSONResponse:
        response = super()._generate_error_response(request_id, error)
        told = str(error) if isinstance(error, ToldError) else None
        return JSONResponse(_clean(json.loads(bytes(response.body)), told))

    def _create_response(self, context: ServerCallContext, handler_result: Any) -> Response:
        told = context.state.get("told")
        if isinstance(handler_result, dict):
            return super()._create_response(context, _clean(handler_result, told))

        async def clean() -> AsyncGenerator[dict[str, Any], None]:
            async for item in handler_result:
                yield _clean(item, told)

        response = super()._create_response(context, clean())
        if isinstance(response, EventSourceResponse):
            response.send_timeout = self.send_s
        return response


def _clean(item: dict[str, Any], told: str | None) -> dict[str, Any]:
    """A response; of one that is a failure, only what was not sent to us. ``told`` is a message of our own."""
    error = item.get("error")
    if not isinstance(error, dict):
        return item
    if told is not None and error.get("message") == told:
        return {**item, "error": {"code": BAD_PARAMS, "message": told}}
    return {**item, "error": without_input(error)}
