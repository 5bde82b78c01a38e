"""Text made fit for a terminal. Light: everything may import it."""

import re
import sys

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """The text without control characters, so that it cannot steer a terminal. Tabs and newlines stay."""
    return _CONTROL.sub("", text)


def error_line(message: str) -> None:
    """One line on stderr: what is wrong and what to do."""
    sys.stderr.write(f"overread: {printable(' '.join(message.split()))}\n")
    sys.stderr.flush()
