"""Files and folders that only their owner may read."""

import os
from collections.abc import Iterable
from pathlib import Path


def private_directory(path: Path) -> Path:
    """The folder, made with mode 0700 if it was not there."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def write_new(path: Path, pieces: Iterable[bytes]) -> int:
    """Write a file of mode 0600 that was not there before, and give its size in bytes. Raises ``OSError``."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    size = 0
    with os.fdopen(file, "wb") as out:
        for piece in pieces:
            out.write(piece)
            size += len(piece)
    return size


def replace(path: Path, data: bytes) -> None:
    """Put ``data`` in place of the file at once: a reader sees the old or the new, never half. Raises ``OSError``."""
    private_directory(path.parent)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.unlink(missing_ok=True)
    write_new(part, [data])
    os.replace(part, path)
