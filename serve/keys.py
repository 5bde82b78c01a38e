"""API keys: who may call, and whose a study is. What is stored cannot be turned back into a key.

A key reads ``ovr_ID_SECRET``. Of the secret, 256 random bits, the file holds a salted scrypt hash.
"""

import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from overread.records import Record
from overread.settings import Settings
from serve.errors import ArgumentsError, KeysError
from serve.private import private_directory, replace

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_KEY = re.compile(r"ovr_(?P<id>[0-9a-f]{12})_(?P<secret>[A-Za-z0-9_-]{43})")
_COST = {"n": 2**13, "r": 8, "p": 1, "dklen": 32}
MOST_REMEMBERED = 1_000


class Key(Record):
    """One key as it is stored. ``salt`` and ``hash`` are hexadecimal; ``made`` is a time in ISO 8601."""

    id: str
    label: str
    made: str
    salt: str
    hash: str


class _File(Record):
    keys: tuple[Key, ...] = ()


def keys_file(settings: Settings) -> Path:
    """Where the keys are."""
    return settings.api_keys or settings.state / "keys.json"


class Keys:
    """The keys in a file. Safe to use from several threads; a change of the file is seen at the next request."""

    def __init__(self, path: Path) -> None:
        """``path`` need not be there: then there are no keys."""
        self.path = path
        self._pepper = secrets.token_bytes(32)
        self._seen: tuple[int, int, int] | None = None
        self._keys: dict[str, Key] = {}
        self._verified: dict[bytes, str] = {}

    def all(self) -> tuple[Key, ...]:
        """Every key, the oldest first. Raises ``KeysError`` when the file is not as it was written."""
        seen = _stamp(self.path)
        if seen != self._seen:
            self._keys = {key.id: key for key in _read(self.path)}
            self._verified = {}
            self._seen = seen
        return tuple(self._keys.values())

    def owner(self, given: str) -> str | None:
        """The id of a key that was presented, or ``None`` when it is none. Raises ``KeysError``.

        The first time costs an scrypt hash; after that a keyed hash of the key is remembered in memory.
        """
        self.all()
        known = self._verified
        mark = hmac.digest(self._pepper, given.encode("utf-8", "replace"), "sha256")
        if mark in known:
            return known[mark]
        match = _KEY.fullmatch(given)
        key = self._keys.get(match["id"]) if match else None
        if match is None or key is None:
            return None
        if not hmac.compare_digest(_hash(match["secret"], bytes.fromhex(key.salt)), bytes.fromhex(key.hash)):
            return None
        if len(known) >= MOST_REMEMBERED:
            known.clear()
        known[mark] = key.id
        return key.id

    def add(self, label: str) -> tuple[Key, str]:
        """A new key as it is stored, and the key itself, which cannot be had again."""
        if not _LABEL.fullmatch(label):
            raise ArgumentsError("a key's label is 1 to 40 letters, digits, '.', '_' or '-'")
        secret, salt = secrets.token_urlsafe(32), secrets.token_bytes(16)
        made = datetime.now(UTC).isoformat(timespec="seconds")
        key = Key(id=secrets.token_hex(6), label=label, made=made, salt=salt.hex(), hash=_hash(secret, salt).hex())
        with self._locked():
            self._write((*_read(self.path), key))
        return key, f"ovr_{key.id}_{secret}"

    def remove(self, id_: str) -> None:
        """Take a key away, by its id. Raises ``KeysError`` when there is none of that id."""
        with self._locked():
            before = _read(self.path)
            after = tuple(key for key in before if key.id != id_)
            if len(after) == len(before):
                raise KeysError("there is no key of that id; overread keys list shows them")
            self._write(after)

    def _write(self, keys: tuple[Key, ...]) -> None:
        data = json.dumps(_File(keys=keys).model_dump(), indent=1).encode() + b"\n"
        try:
            replace(self.path, data)
        except OSError as error:
            raise KeysError(f"the file of API keys cannot be written ({type(error).__name__})") from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            private_directory(self.path.parent)
            lock = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise KeysError(f"the folder of the API keys cannot be written ({type(error).__name__})") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _hash(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, **_COST)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeysError(f"the file of API keys cannot be read ({type(error).__name__})") from None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read(path: Path) -> tuple[Key, ...]:
    try:
        return _File.model_validate_json(path.read_bytes()).keys
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise KeysError(f"the file of API keys cannot be read ({type(error).__name__})") from None
    except ValidationError:
        raise KeysError("the file of API keys is not as it was written; put it back, or move it away") from None
