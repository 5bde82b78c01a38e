"""What is told of a failure in JSON-RPC, for MCP and A2A alike: by its code, never with what was sent."""

from typing import Any

_TOLD = {
    -32700: "the body is not valid JSON",
    -32600: "the body is not one JSON-RPC request; see docs/agents.md",
    -32601: "there is no such method here; see docs/agents.md",
    -32602: "the parameters do not fit, or name something that is not there; see docs/agents.md",
    -32603: "something went wrong inside Overread; run overread doctor",
    -32001: "there is no such task",
    -32002: "the task has ended, so it cannot be cancelled",
    -32003: "push notifications are not sent; stream the task, or ask for it again",
    -32004: "this is not supported; see docs/agents.md",
    -32005: "this kind of content is not taken; see docs/agents.md",
    -32009: "this version of the protocol is not spoken; see docs/agents.md",
}
_OTHER = "the request cannot be worked on; see docs/agents.md"


def told_of(code: int) -> str:
    """The message of a code."""
    return _TOLD.get(code, _OTHER)


def without_input(error: dict[str, Any], kept: tuple[str, ...] = ()) -> dict[str, Any]:
    """An error object with our own message, and of its data only the fields of these names."""
    code = error.get("code")
    clean: dict[str, Any] = {"code": code, "message": told_of(code if isinstance(code, int) else 0)}
    data = error.get("data")
    if isinstance(data, dict) and (left := {name: data[name] for name in kept if name in data}):
        clean["data"] = left
    return clean
