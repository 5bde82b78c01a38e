"""What is wrong with a file, in the words of who dropped it: what, and what to do."""

import re

from overread.errors import OverreadError
from serve import words

_BYTES = re.compile(r"([\d,]+) bytes")


def size_words(count: int) -> str:
    """Bytes as a reader says them: "512 MB", "1.5 GB"; never less than "1 kB"."""
    size, unit = max(count / 1024, 1.0), "kB"
    for larger in ("MB", "GB"):
        if size >= 1000:
            size, unit = size / 1024, larger
    return f"{size:.3g} {unit}"


def fault(error: OverreadError | str) -> dict[str, str]:
    """``what`` is wrong, and what ``todo``, out of a message that says both, one after the other."""
    said = words.phrases()["page_faults"]
    message = said["codes"].get(error.code) if isinstance(error, OverreadError) else None
    message = _BYTES.sub(lambda found: size_words(int(found[1].replace(",", ""))), message or str(error))
    for pattern, better in said["instead"].items():
        message = re.sub(pattern, better, message)
    what, _, todo = message.strip().rstrip(".").partition("; ")
    if not todo:
        what, _, todo = what.partition(". ")
    todo = todo or said["todo"]
    return {"what": f"{what[0].upper()}{what[1:]}.", "todo": f"{todo[0].upper()}{todo[1:]}."}
