"""Files that a tool made, kept in memory for a while for whom they belong to."""

import asyncio
import secrets
from collections import OrderedDict
from dataclasses import dataclass

from serve.errors import ApiError

MOST = 64
MOST_BYTES = 256 * 2**20
LARGEST = 64 * 2**20
"""Most bytes of one file: it leaves as text in one message."""
KEEP_S = 900.0


@dataclass(frozen=True)
class KeptFile:
    """One file: whose it is, its name, and its bytes."""

    owner: str
    name: str
    data: bytes


class Kept:
    """The files of one server. Lives in one event loop. The oldest go first; each goes after ``KEEP_S`` seconds."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, KeptFile] = OrderedDict()

    def add(self, owner: str, name: str, data: bytes) -> str:
        """Keep a file and give its address. Raises ``ApiError`` when it is too large."""
        if len(data) > LARGEST:
            raise ApiError(413, "too_large", f"the result is larger than {LARGEST} bytes; use the overread command")
        token = secrets.token_hex(16)
        self._files[token] = KeptFile(owner, name, data)
        asyncio.get_running_loop().call_later(KEEP_S, self._files.pop, token, None)
        while len(self._files) > MOST or sum(len(one.data) for one in self._files.values()) > MOST_BYTES:
            self._files.popitem(last=False)
        return f"overread://results/{token}/{name}"

    def get(self, owner: str, token: str, name: str) -> bytes:
        """The bytes of an owner's file. Raises ``ApiError`` 404 for any other."""
        kept = self._files.get(token)
        if kept is None or (kept.owner, kept.name) != (owner, name):
            raise ApiError(404, "no_such_result", "no such result; it is kept for a while only, so make it again")
        return kept.data
