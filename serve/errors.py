"""The errors of the interfaces."""

from overread.errors import OverreadError


class ServeError(OverreadError):
    """Base of the interfaces' errors."""

    code = "interface_failed"


class ArgumentsError(ServeError):
    """A command was called with arguments it cannot work with: one line on stderr, exit code 2.

    The message names an image by its place ("the first image"), because a file name may hold a
    patient's name.
    """

    code = "bad_arguments"


class KeysError(ServeError):
    """The file of API keys cannot be read or written, or a key that was named is not in it."""

    code = "bad_keys"


class NoStudyError(ServeError):
    """A study was named that is not there, is past its time, or belongs to somebody else: which, is not told."""

    code = "no_such_study"

    def __init__(self) -> None:
        super().__init__("no such study; upload it again, or list the ones that are there")


class NoVisitorError(ServeError):
    """The page was asked for something by a browser that keeps no cookie of ours."""

    code = "no_visitor"

    def __init__(self) -> None:
        super().__init__("this browser keeps no cookie for this page; allow cookies for it and load the page again")


class NoConversationError(ServeError):
    """A conversation was named that is not there, was deleted, or is somebody else's: which, is not told."""

    code = "no_conversation"

    def __init__(self) -> None:
        super().__init__("this conversation is not here any more; begin a new one")


class AnsweringError(ServeError):
    """What was asked for has to wait for the end of an answer."""

    code = "answering"


class StudiesError(ServeError):
    """A study cannot be stored: it is empty, too large, or there are too many."""

    code = "cannot_store"


class DropError(ServeError):
    """What was dropped on the page is too large, or did not arrive whole: "what is wrong; what to do"."""

    code = "cannot_open"


class DeploymentError(ServeError):
    """A part that runs in another process is not there, died, or took too long. Ask again."""

    code = "unavailable"


class BusyError(DeploymentError):
    """So many wait for a part that runs in another process that no more are let in. Ask again in a moment."""

    code = "busy"


class ApiError(ServeError):
    """A request that ends in an HTTP error. ``status`` is its code; the message never repeats what was sent.

    ``param`` names the field at fault, where there is one. ``retry_after_s`` says when to try again.
    """

    def __init__(
        self, status: int, code: str, message: str, param: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.retry_after_s = retry_after_s
