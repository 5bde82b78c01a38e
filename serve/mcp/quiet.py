"""An MCP server whose failures never repeat what was sent."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from mcp.server import MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, CallToolResult, InputRequiredResult, Resource
from pydantic import AnyUrl, ValidationError

from overread.errors import OverreadError
from serve.api.body import first_fault
from serve.api.jsonrpc import told_of

Reader = Callable[[Context[Any, Any]], Awaitable[str]]

OWN = {"told": True}
"""The data of an error whose message was made here, and holds nothing that was sent."""


class ToldError(MCPError):
    """A failure with a message of our own, which is told as it is: its data say so."""

    def __init__(self, message: str) -> None:
        super().__init__(code=INVALID_PARAMS, message=message, data=OWN)


class QuietServer(MCPServer[Any]):
    """Tells each failure in our own words: which argument does not fit, and never what stood there.

    The SDK's tracing is left out too: its spans hold names that the client sent. ``listed`` are resources with an
    address of their own, and what reads them.
    """

    def __init__(self, name: str, tools: list[Tool], **more: Any) -> None:
        super().__init__(name, tools=tools, subscriptions=False, **more)
        self._names = {tool.name: frozenset(_properties(tool.parameters)) for tool in tools}
        self.middleware[:] = [_quietly]
        self.listed: dict[str, tuple[Resource, Reader]] = {}

    async def list_resources(self) -> list[Resource]:
        """As the SDK's, and the listed ones."""
        return [*await super().list_resources(), *(resource for resource, _ in self.listed.values())]

    async def read_resource(
        self, uri: AnyUrl | str, context: Context[Any, Any] | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        """As the SDK's, and the listed ones, which may ask whose the request is."""
        found = self.listed.get(str(uri))
        if found is None or context is None:
            return await super().read_resource(uri, context)
        resource, read = found
        return [ReadResourceContents(content=await read(context), mime_type=resource.mime_type)]

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """As the SDK's. Raises ``ToolError`` with a message that holds nothing of the arguments."""
        if name not in self._names:
            raise ToolError("there is no tool of that name; tools/list names them")
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            cause = error.__cause__
            if isinstance(cause, ValidationError):
                path, words = first_fault(cause, self._names[name])
                told = f"{'.'.join(path) or 'an argument'} {words}; tools/list has the schema"
            elif isinstance(cause, OverreadError):
                told = f"{cause.code}: {cause}"
            else:
                raise
        raise ToolError(told)


async def _quietly(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Turns each failure of a request into one without the input."""
    try:
        return await call_next(ctx)
    except ToldError:
        raise
    except MCPError as error:
        code = error.error.code
    except ValidationError:
        code = INVALID_PARAMS
    except Exception:  # noqa: BLE001  whatever it was, its message may hold what was sent
        code = INTERNAL_ERROR
    raise MCPError(code=code, message=told_of(code))


def _properties(schema: Any) -> set[str]:
    """The names of all fields in a JSON schema, at any depth."""
    if isinstance(schema, dict):
        own = set(schema["properties"]) if isinstance(schema.get("properties"), dict) else set()
        return own.union(*(_properties(value) for value in schema.values()))
    if isinstance(schema, list):
        return set().union(*(_properties(value) for value in schema))
    return set()
