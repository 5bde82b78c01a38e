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
