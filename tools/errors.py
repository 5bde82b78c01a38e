"""The errors of the tools. Messages name the input's fault and never a value from it."""

from overread.errors import OverreadError


class ToolError(OverreadError):
    """Base of the tools' errors."""

    code = "tool_failed"


class UnreadableStudyError(ToolError):
    """A file is no image that can be read: broken, empty, misnamed, or of an unknown kind."""

    code = "unreadable_input"


class TooLargeError(UnreadableStudyError):
    """A file goes over one of the bounds that are checked before decoding."""

    code = "too_large"


class FrameError(ToolError):
    """A frame was asked for that the study does not have."""

    code = "no_such_frame"


class CaseIndexError(ToolError):
    """A case index is missing or damaged, or a case cannot be added to it or is not in it."""

    code = "bad_case_index"
