"""Cached artefacts: folders on disk that many processes may build, read and find broken at once.

A folder is written under a temporary name and renamed into place, so that it is there whole or not
at all. Its manifest holds the SHA-256 of every file; a folder that does not match it is rebuilt.
"""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from retrieval.errors import IndexCacheError

MANIFEST = "manifest.json"
VERSION = 1
"""Raised when the layout of a cached folder changes; older folders are then rebuilt."""

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


def load_or_build(
    folder: Path, build: Callable[[], _T], save: Callable[[_T, Path], None], load: Callable[[Path], _T]
) -> _T:
    """The artefact in ``folder``; built, and saved there, when it is absent or broken.

    ``load`` raises ``IndexCacheError`` when the files do not make an artefact. A cache that cannot be
    written is no error: what was built is returned, and a warning is logged.
    """
    try:
        verify(folder)
        return load(folder)
    except FileNotFoundError:
        pass
    except (IndexCacheError, OSError) as error:
        _log.warning("a cached search index is broken and is built again (%s)", type(error).__name__)
    built = build()
    try:
        publish(folder, lambda target: save(built, target))
    except OSError as error:
        _log.warning("the search index could not be cached (%s); set OVERREAD_CACHE", type(error).__name__)
    return built


def publish(folder: Path, write: Callable[[Path], None]) -> None:
    """Write a folder whole: under a temporary name, with its manifest, then renamed.

    Where another process was faster with a good folder, that one stays.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        write(temporary)
        sums = {path.name: _sha256(path) for path in sorted(temporary.iterdir())}
        sizes = {name: (temporary / name).stat().st_size for name in sums}
        manifest = temporary / MANIFEST
        manifest.write_text(json.dumps({"version": VERSION, "files": sums, "sizes": sizes}), encoding="utf-8")
        shutil.copymode(folder.parent, temporary)
        for path in [*temporary.iterdir(), temporary]:
            _sync(path)
        _rename_over(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def verify(folder: Path) -> None:
    """Check every file against the manifest. Raises ``FileNotFoundError`` when there is no folder.

    Raises ``IndexCacheError`` when a file is missing, changed or left over, or of another version.
    """
    if not folder.is_dir():
        raise FileNotFoundError(folder.name)
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        version, sums = manifest["version"], dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError):
        raise IndexCacheError("a cached index has no readable manifest") from None
    if version != VERSION:
        raise IndexCacheError("a cached index is of another version")
    there = {path.name for path in folder.iterdir()} - {MANIFEST}
    if there != set(sums) or any(_sha256(folder / name) != digest for name, digest in sums.items()):
        raise IndexCacheError("a cached index is not what its manifest says")


def _rename_over(temporary: Path, folder: Path) -> None:
    try:
        temporary.rename(folder)
        return
    except OSError:
        if not folder.is_dir():
            raise
    try:
        verify(folder)
    except (IndexCacheError, FileNotFoundError):
        broken = Path(tempfile.mkdtemp(prefix=".broken-", dir=folder.parent))
        try:
            if folder.is_dir():
                folder.rename(broken)
            temporary.rename(folder)
        finally:
            shutil.rmtree(broken, ignore_errors=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
