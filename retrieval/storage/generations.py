"""Generations: a knowledge base's folder holds whole, checksummed versions of it, and a pointer to the current one.

A new generation is written beside the old one, synced, and made current by renaming the pointer over the old one.
Whoever is killed at any moment leaves the pointer on a whole generation. Readers keep the files they opened.

    BASE/current                    the name of the current generation
    BASE/generations/000007/        its files and their manifest
    BASE/staging/                   what an interrupted command has read so far
    BASE/pending/                   vectors that are not in a generation yet
    BASE/lock                       held by the one process that writes
"""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from retrieval.cache import MANIFEST, publish, verify
from retrieval.errors import BaseError, IndexCacheError

POINTER = "current"
GENERATIONS = "generations"
STAGING = "staging"
PENDING = "pending"
_LOCK = "lock"
_KNOWN = {POINTER, GENERATIONS, STAGING, PENDING, _LOCK}
_NAME = re.compile(r"\d{6,}")


def is_base(base: Path) -> bool:
    """Whether a folder holds a knowledge base, whole or begun."""
    return (base / GENERATIONS).is_dir()


@contextmanager
def writing(base: Path) -> Iterator[None]:
    """Hold the right to write to a base; makes its folder. What a killed writer left behind is swept away.

    Raises ``BaseError`` when another process holds it, or the folder is something else.
    """
    if base.exists() and not base.is_dir():
        raise BaseError(f"{base.name!r} is a file; a knowledge base is a folder")
    if base.is_dir() and not is_base(base) and any(entry.name not in _KNOWN for entry in base.iterdir()):
        raise BaseError(f"the folder {base.name!r} holds other things; name a new or empty one for the knowledge base")
    try:
        (base / GENERATIONS).mkdir(parents=True, exist_ok=True)
        lock = (base / _LOCK).open("a")
    except OSError as error:
        raise BaseError(f"the knowledge base cannot be written to ({type(error).__name__})") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BaseError("another command is writing to this knowledge base; wait until it ends") from None
        sweep(base)
        yield


def current(base: Path) -> Path | None:
    """The folder of the current generation, or ``None`` where there is none yet. Its files are checked by size.

    Where the pointer is damaged, the newest whole generation is taken. Raises ``BaseError`` where there is none.
    """
    if not is_base(base):
        return None
    try:
        name = (base / POINTER).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        name = ""
    if _NAME.fullmatch(name):
        folder = base / GENERATIONS / name
        problem = damage(folder)
        if problem is None:
            return folder
    folders = _folders(base)
    for folder in reversed(folders):
        try:
            verify(folder)
        except (IndexCacheError, FileNotFoundError):
            continue
        return folder
    if folders or name:
        raise BaseError("the knowledge base is damaged: no whole generation is left; remove its folder and add again")
    return None


def damage(folder: Path, thorough: bool = False) -> str | None:
    """What is wrong with a generation, or ``None``. By names and sizes alone, or thoroughly by every checksum."""
    try:
        if thorough:
            verify(folder)
        sizes = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["sizes"]
        there = {path.name: path.stat().st_size for path in folder.iterdir() if path.name != MANIFEST}
    except (IndexCacheError, FileNotFoundError) as error:
        return str(error)
    except (OSError, ValueError, KeyError, TypeError):
        return "it has no readable manifest"
    return None if there == sizes else "its files are not what its manifest says"


def publish_generation(base: Path, write: Callable[[Path], None]) -> Path:
    """Write a new generation and make it the current one; the older ones are removed."""
    folders = _folders(base)
    number = int(folders[-1].name) + 1 if folders else 1
    folder = base / GENERATIONS / f"{number:06d}"
    publish(folder, write)
    sync(folder.parent)
    replace_text(base / POINTER, folder.name)
    sweep(base)
    return folder


def sweep(base: Path) -> None:
    """Remove every generation but the current one, and what was left half written."""
    kept = current(base)
    for path in (base / GENERATIONS).iterdir():
        if path != kept:
            shutil.rmtree(path, ignore_errors=True)
    for path in base.glob(f".{POINTER}-*"):
        path.unlink(missing_ok=True)


def replace_text(path: Path, text: str) -> None:
    """Write a small file whole or not at all."""
    part = path.with_name(f".{path.name}-{os.getpid()}")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync(path.parent)


def sync(folder: Path) -> None:
    """Make the names in a folder last."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def link_files(from_: Path, to: Path, names: list[str]) -> None:
    """Carry files that do not change into a new generation, without copying them where the disk allows it."""
    for name in names:
        try:
            os.link(from_ / name, to / name)
        except OSError:
            shutil.copyfile(from_ / name, to / name)


def _folders(base: Path) -> list[Path]:
    return sorted(path for path in (base / GENERATIONS).iterdir() if _NAME.fullmatch(path.name) and path.is_dir())
