"""The agent's errors."""

from overread.errors import OverreadError


class AgentError(OverreadError):
    """Base of the agent's errors."""

    code = "agent_error"


class RequestError(AgentError):
    """What was asked cannot be worked on: no question, no file, a frame that is not there."""

    code = "bad_request"


class EngineError(AgentError):
    """A configured language model server did not do its part."""

    code = "engine_failed"


class EngineStatusError(EngineError):
    """A configured language model server is there, and answered a request with an error status."""


class CaseError(AgentError):
    """A case cannot be added to the user's own cases."""

    code = "bad_case"


class RedactionError(AgentError):
    """A file cannot be redacted, or not to where it was asked to go."""

    code = "cannot_redact"


class StateKeyError(AgentError):
    """What a thread remembers cannot be read or written with the key that is given, or with none."""

    code = "bad_state_key"


class NoThreadError(AgentError):
    """A thread that was named is not there."""

    code = "no_such_thread"
