"""A chain of lines: each holds the SHA-256 of the line before it and of itself, so that no line changes unseen.

A line is ``{"sha256":"…","entry":{"n":…,"prev":"…",…}}``; the hash is over the bytes of the entry as they stand. A
small head, kept beside the lines, holds how many there are and the last hash, so that a cut at the end shows too.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field, ValidationError

from overread.records import Record

GENESIS = "0" * 64
"""What the first line gives as the hash of the line before it."""

_LINE = re.compile(rb'\{"sha256":"([0-9a-f]{64})","entry":(\{[^\n]*\})\}\n')


class Head(Record):
    """What the lines were when the last one was written: their ``count``, the last one's ``sha256`` and length
    ``last``, and where it ends in the file, both in bytes.
    """

    count: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)
    last: int = Field(ge=0)


@dataclass(frozen=True)
class Link:
    """One line as it was written. ``torn`` is what a broken-off write had left before it: length and SHA-256."""

    n: int
    prev: str
    sha256: str
    torn: tuple[int, str] | None
    entry: dict[str, Any]


@dataclass
class Walk:
    """What was seen on the way along the lines.

    ``problems`` say what was changed, ``notes`` what a process that died left behind, in the order of the lines.
    ``end`` is where the last whole line ends, ``last`` how long it is; ``rest`` are the bytes behind it.
    ``before`` is the hash of the line before the last.
    """

    count: int = 0
    sha256: str = GENESIS
    before: str | None = None
    lines: int = 0
    end: int = 0
    last: int = 0
    rest: bytes = b""
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def head(self) -> Head:
        """The head that belongs to these lines."""
        return Head(count=self.count, sha256=self.sha256, bytes=self.end, last=self.last)


def make_line(n: int, prev: str, content: dict[str, Any], torn: bytes = b"") -> tuple[bytes, str]:
    """The bytes of line ``n``, counted from 1, and its hash. ``torn`` is what a broken-off write left before it."""
    entry: dict[str, Any] = {"n": n, "prev": prev, **content}
    if torn:
        entry["torn"] = {"bytes": len(torn), "sha256": hashlib.sha256(torn).hexdigest()}
    body = json.dumps(entry, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    digest = hashlib.sha256(body).hexdigest()
    return b'{"sha256":"' + digest.encode() + b'","entry":' + body + b"}\n", digest


def read_link(line: bytes) -> Link | None:
    """A line, or ``None`` when it is not as one was written."""
    match = _LINE.fullmatch(line)
    if match is None or hashlib.sha256(match[2]).hexdigest().encode() != match[1]:
        return None
    try:
        entry = json.loads(match[2])
        torn = entry.get("torn")
        left = (int(torn["bytes"]), str(torn["sha256"])) if torn is not None else None
        return Link(int(entry["n"]), str(entry["prev"]), match[1].decode(), left, entry)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def read_head(data: bytes) -> Head | None:
    """A head, or ``None`` when it is not as one was written."""
    try:
        head = Head.model_validate_json(data)
    except ValidationError:
        return None
    return head if data == head_bytes(head) else None


def head_bytes(head: Head) -> bytes:
    """A head as it is kept."""
    return head.model_dump_json().encode() + b"\n"


def walk(lines: Iterable[bytes], start: Head | None = None) -> Walk:
    """Go along lines, each with its line end, from the first one or from behind those of ``start``."""
    seen = Walk()
    if start is not None:
        seen.count, seen.sha256, seen.end, seen.last = start.count, start.sha256, start.bytes, start.last
    at, bad_at = seen.end, 0
    bad: list[bytes] = []
    for line in lines:
        seen.lines += 1
        at += len(line)
        link = read_link(line)
        if link is None:
            bad_at = bad_at if bad else seen.lines
            bad.append(line)
            continue
        if _belongs_here(seen, link, bad, bad_at):
            seen.before, seen.count, seen.sha256 = seen.sha256, link.n, link.sha256
            seen.end, seen.last = at, len(line)
        bad = []
    seen.rest = b"".join(bad)
    if seen.rest:
        seen.notes.append(f"from line {bad_at} on the log is torn: a write was broken off, or bytes were added there")
    return seen


def against_head(seen: Walk, head: Head | None) -> None:
    """Add to ``problems`` and ``notes`` what the head says of the lines."""
    if head is None:
        if seen.lines:
            seen.problems.append("the head file is missing or was changed, so a cut at the end would not show")
        return
    if seen.count < head.count:
        what = "the last line was changed or cut: " if seen.rest else "the log was cut at the end: "
        missing = head.count - seen.count
        seen.problems.append(f"{what}{_lines(missing)} missing of the {head.count} that the head knows of")
    elif seen.count == head.count + 1 and seen.before == head.sha256:
        seen.notes.append("the last line was written and the head was not: a process ended between the two")
    elif seen.count > head.count:
        seen.problems.append(f"there are {seen.count} lines, and the head knows of {head.count}")
    elif seen.sha256 != head.sha256:
        seen.problems.append("the last line is not the one that the head names: one of the two was changed")
    elif seen.head != head and not seen.problems:
        seen.problems.append("the head was changed: the last line does not end where it says")


def _belongs_here(seen: Walk, link: Link, bad: list[bytes], bad_at: int) -> bool:
    """Whether the chain goes on with this line, after ``bad`` lines that are none; what is wrong is noted."""
    follows = link.n == seen.count + 1 and link.prev == seen.sha256
    gap = link.n - seen.count - 1
    left = b"".join(bad)
    if follows and left and link.torn == (len(left), hashlib.sha256(left).hexdigest()):
        seen.notes.append(f"line {bad_at} is torn: a write was broken off there, and the next line says so")
        return True
    for number in range(bad_at, bad_at + len(bad)):
        seen.problems.append(f"line {number} is not as it was written: it was changed or added")
    if link.n <= seen.count:
        seen.problems.append(f"line {seen.lines} is out of order: it was written as entry {link.n}")
        return False
    if gap > len(bad):
        seen.problems.append(f"before line {seen.lines}, {_lines(gap - len(bad))} missing: removed or moved")
    elif not gap and not follows:
        seen.problems.append(f"line {seen.lines} does not follow from the line before it: one of the two was replaced")
    elif link.torn is not None and not bad:
        seen.problems.append(f"before line {seen.lines}, the torn line that it tells of is missing")
    return True


def _lines(count: int) -> str:
    return "1 line is" if count == 1 else f"{count} lines are"
