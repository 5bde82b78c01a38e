"""Uploaded studies: each in a private folder, under a handle nobody can guess, for the key that uploaded it.

Nothing of a study but its bytes is kept: no file name, no header value.
"""

import contextlib
import logging
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pydantic import Field, ValidationError

from overread.records import Record
from overread.settings import Settings
from serve.errors import NoStudyError, StudiesError
from serve.private import private_directory, replace, write_new

log = logging.getLogger(__name__)

PREFIX = "study:"
"""What stands before a handle where an image is named in a request."""

_ID = re.compile(r"[0-9a-f]{32}")
_PIECE = 1024 * 1024


class StoredStudy(Record):
    """What is known of a stored study. ``owner`` is a key's id; times are seconds since 1970."""

    id: str
    owner: str = Field(repr=False)
    bytes: int
    created: float
    expires: float


class Studies:
    """The studies in a folder. Safe to use from several threads and processes."""

    def __init__(self, settings: Settings) -> None:
        """They lie in ``studies`` under the state folder."""
        self._settings = settings
        self._folder = settings.state / "studies"

    def add(self, owner: str, upload: BinaryIO) -> str:
        """Store what an upload holds and give its handle. Raises ``StudiesError``."""
        if len(self.of(owner)) >= self._settings.studies_per_key:
            raise StudiesError("there are as many studies as one key may have; delete some first")
        id_ = secrets.token_hex(16)
        private_directory(self._folder)
        # Its name begins with a dot until it is whole, so nobody sees half of it.
        part = self._folder / f".{id_}"
        try:
            part.mkdir(mode=0o700)
            size = write_new(part / "study", self._pieces(upload))
            if size == 0:
                raise StudiesError("the file is empty; export or copy it again")
            now = time.time()
            expires = now + self._settings.studies_keep_h * 3600
            stored = StoredStudy(id=id_, owner=owner, bytes=size, created=now, expires=expires)
            replace(part / "record.json", stored.model_dump_json().encode())
            part.rename(self._folder / id_)
        except OSError as error:
            raise StudiesError(f"the study cannot be written ({type(error).__name__}); make room on its disk") from None
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return id_

    def _pieces(self, upload: BinaryIO) -> Iterator[bytes]:
        size = 0
        while piece := upload.read(_PIECE):
            size += len(piece)
            if size > self._settings.max_file_bytes:
                raise StudiesError(f"the file is larger than {self._settings.max_file_bytes} bytes; send less at once")
            yield piece

    def get(self, owner: str, study_id: str) -> StoredStudy:
        """What is known of an owner's study. Raises ``NoStudyError``."""
        stored = self._read(study_id) if _ID.fullmatch(study_id) else None
        if stored is None or stored.owner != owner or stored.expires <= time.time():
            raise NoStudyError
        return stored

    def path(self, owner: str, study_id: str) -> Path:
        """The file of an owner's study. Raises ``NoStudyError``."""
        return self._folder / self.get(owner, study_id).id / "study"

    def of(self, owner: str) -> list[StoredStudy]:
        """An owner's studies, the oldest first."""
        now = time.time()
        found = [stored for stored in self._all() if stored.owner == owner and stored.expires > now]
        return sorted(found, key=lambda stored: (stored.created, stored.id))

    def remove(self, owner: str, study_id: str) -> None:
        """Delete an owner's study from the disk. Raises ``NoStudyError``."""
        self._delete(self.get(owner, study_id).id)

    def sweep(self) -> list[str]:
        """Delete the studies whose time is over, and what broken-off uploads left; the handles of the former."""
        now = time.time()
        over = [stored.id for stored in self._all() if stored.expires <= now]
        for id_ in over:
            with contextlib.suppress(NoStudyError):  # somebody else deleted it just now
                self._delete(id_)
        for part in self._folder.glob(".*"):
            with contextlib.suppress(FileNotFoundError):
                if part.stat().st_mtime < now - 3600:
                    shutil.rmtree(part, ignore_errors=True)
        return over

    def _delete(self, id_: str) -> None:
        try:
            shutil.rmtree(self._folder / id_)
        except FileNotFoundError:
            raise NoStudyError from None
        except OSError as error:
            raise StudiesError(f"the study cannot be deleted ({type(error).__name__})") from None

    def _all(self) -> Iterator[StoredStudy]:
        if not self._folder.is_dir():
            return
        for folder in self._folder.iterdir():
            try:
                stored = self._read(folder.name) if _ID.fullmatch(folder.name) else None
            except StudiesError as error:
                log.error("%s", error)
                continue
            if stored is not None:
                yield stored

    def _read(self, study_id: str) -> StoredStudy | None:
        try:
            return StoredStudy.model_validate_json((self._folder / study_id / "record.json").read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValidationError):
            raise StudiesError("a stored study is not as it was written; delete it from the state folder") from None
