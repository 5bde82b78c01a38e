"""The audit log: one line a run in the state folder, append-only, each chained to the one before it.

What a line says of a run is the caller's; here is how it is kept. Several processes may write at once. A process
that dies while it writes leaves a torn line, which the next one passes over and names.
"""

import fcntl
import hashlib
import hmac
import json
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from guardrails.chain import Head, Walk, against_head, head_bytes, make_line, read_head, read_link, walk
from guardrails.errors import AuditError

LOG = "audit.jsonl"
SHORTEST_ID = 8
"""Fewest characters of an id by which an entry is found."""

_WAIT_S = 10.0
_ID = "sha256:"


class AuditLog:
    """The log in a folder. Safe to use from several threads and processes.

    Beside the log lie its head (``audit.head``) and the key of the keyed hashes in it (``audit.key``). All three
    are readable by their owner alone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / LOG
        self._key: bytes | None = None
        self._turn = threading.Lock()
        self._left: tuple[int, ...] | None = None

    def prepare(self) -> None:
        """Make sure that a run can be written down before it begins. Raises ``AuditError``.

        A log that lies as this process left it was looked at then, and while another thread writes, that one looks.
        """
        if self._turn.locked() or self._stamp() == self._left is not None:
            return
        with self._locked() as file:
            self._resume(file)
            self._left = self._stamp()

    def append(self, content: dict[str, Any]) -> str:
        """Write an entry, with the time, and give its id. Raises ``AuditError``."""
        content = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), **content}
        with self._locked() as file:
            seen = self._resume(file)
            # A torn line gets its end first, so that what follows it stands on a line of its own.
            torn = seen.rest + b"\n" if seen.rest else b""
            line, digest = make_line(seen.count + 1, seen.sha256, content, torn)
            data = (b"\n" if torn else b"") + line
            if os.write(file, data) != len(data):
                raise AuditError("the audit log could not be written whole; make room on its disk")
            os.fsync(file)
            end = seen.end + len(torn) + len(line)
            self._write_head(Head(count=seen.count + 1, sha256=digest, bytes=end, last=len(line)))
            self._left = self._stamp()
        return _ID + digest

    def keyed(self, text: str) -> str:
        """A hash of a text that tells nothing of it without the key in the folder. Raises ``AuditError``."""
        if self._key is None:
            with self._locked():
                self._key = self._read_key()
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()

    def _read_key(self) -> bytes:
        path = self.path.with_suffix(".key")
        if not path.exists():
            _write_private(path, secrets.token_bytes(32))
        key = path.read_bytes()
        if len(key) != 32:
            raise AuditError("the audit log's key is not as it was written; put the file back, or move it away")
        return key

    def _resume(self, file: int) -> Walk:
        """Where the log goes on. Raises ``AuditError`` when its end is not as the head says."""
        head = _head_of(self.path)
        if head is None and self.path.with_suffix(".head").exists():
            raise _changed()
        if head is not None:
            last = os.pread(file, head.last, head.bytes - head.last) if head.bytes >= head.last else b""
            link = read_link(last)
            if link is None or (link.n, link.sha256) != (head.count, head.sha256):
                raise _changed()
        rest = _read_from(file, head.bytes if head else 0)
        if read_link(rest[rest.rfind(b"\n") + 1 :] + b"\n") is not None:
            # Nothing is lacking of the last line but its end.
            os.write(file, b"\n")
            rest += b"\n"
        seen = walk(BytesIO(rest), head)
        # A process may have died after its line and before the head: one line, and no more, is then ahead of it.
        if seen.problems or seen.count > (head.count if head else 0) + 1:
            raise _changed()
        if seen.count and seen.head != head:
            self._write_head(seen.head)
        return seen

    def _stamp(self) -> tuple[int, ...] | None:
        try:
            found = [path.stat() for path in (self.path, self.path.with_suffix(".head"))]
        except OSError:
            return None
        return tuple(value for one in found for value in (one.st_ino, one.st_size, one.st_mtime_ns, one.st_mode))

    def _write_head(self, head: Head) -> None:
        _write_private(self.path.with_suffix(".head"), head_bytes(head))

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """The log, open and this process's alone. Its threads wait for each other without asking the disk."""
        if not self._turn.acquire(timeout=_WAIT_S):
            raise AuditError("the audit log is held by another run; ask again")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            file = os.open(self.path, flags, 0o600)
            try:
                os.fchmod(file, 0o600)
                _lock(file)
                yield file
            finally:
                os.close(file)
        except OSError as error:
            raise AuditError(
                f"the audit log cannot be written ({type(error).__name__}); make OVERREAD_STATE a folder that can be "
                "written, or set OVERREAD_AUDIT=false"
            ) from None
        finally:
            self._turn.release()


def verify(path: Path) -> Walk:
    """Go along a whole log and its head. Raises ``AuditError`` when there is none to read."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            seen = walk(file)
            against_head(seen, _head_of(path))
    except OSError as error:
        raise AuditError(f"there is no audit log to read there ({type(error).__name__}); check its path") from None
    return seen


def find(path: Path, name: str) -> dict[str, Any]:
    """The entry with an id, or the beginning of one. Raises ``AuditError`` when not exactly one has it."""
    wanted = name.removeprefix(_ID).lower()
    if len(wanted) < SHORTEST_ID or set(wanted) - set("0123456789abcdef"):
        raise AuditError(f"an audit id is {_ID} and hexadecimal digits, at least {SHORTEST_ID} of them")
    try:
        with path.open("rb") as file:
            links = [link for line in file if (link := read_link(line)) is not None and link.sha256.startswith(wanted)]
    except OSError as error:
        raise AuditError(f"there is no audit log to read there ({type(error).__name__})") from None
    if len(links) != 1:
        raise AuditError("no entry has this id" if not links else "several entries have an id that begins so")
    return {"audit_id": _ID + links[0].sha256, **links[0].entry}


def _head_of(path: Path) -> Head | None:
    beside = path.with_suffix(".head")
    return read_head(beside.read_bytes()) if beside.exists() else None


def _lock(file: int) -> None:
    until = time.monotonic() + _WAIT_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise AuditError("the audit log is held by another process; end it, and ask again") from None
            time.sleep(0.005)
        else:
            return


def _read_from(file: int, at: int) -> bytes:
    parts = []
    while part := os.pread(file, 1 << 20, at):
        parts.append(part)
        at += len(part)
    return b"".join(parts)


def _write_private(path: Path, data: bytes) -> None:
    """Whole or not at all, and readable by the owner alone."""
    part = path.with_name(f".{path.name}.part")
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, data)
        os.fsync(file)
    finally:
        os.close(file)
    part.replace(path)


def _changed() -> AuditError:
    return AuditError(
        "the audit log is not as it was left; run overread audit verify, then move its files away to begin another"
    )


def as_text(entry: dict[str, Any]) -> str:
    """An entry for people to read: indented JSON."""
    return json.dumps(entry, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
