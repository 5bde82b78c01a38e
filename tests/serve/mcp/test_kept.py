"""Files that tools made: whose they are, and that they go."""

import asyncio

import pytest

from serve.errors import ApiError
from serve.mcp import kept
from serve.mcp.kept import Kept


def place(uri: str) -> tuple[str, str]:
    token, name = uri.removeprefix("overread://results/").split("/")
    return token, name


async def test_a_file_is_its_owners_and_has_its_name() -> None:
    files = Kept()
    token, name = place(files.add("alice", "mask.png", b"1"))
    assert files.get("alice", token, name) == b"1"
    for owner, named in (("bob", name), ("alice", "other.png")):
        with pytest.raises(ApiError):
            files.get(owner, token, named)


async def test_too_many_or_too_much_and_the_oldest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST", 3)
    monkeypatch.setattr(kept, "MOST_BYTES", 10)
    monkeypatch.setattr(kept, "LARGEST", 9)
    files = Kept()
    first, *_, last = [place(files.add("alice", "a.png", b"1")) for _ in range(4)]
    with pytest.raises(ApiError):
        files.get("alice", *first)
    files.add("alice", "a.png", b"123456789")
    assert files.get("alice", *last) == b"1"
    files.add("alice", "a.png", b"12")
    with pytest.raises(ApiError):
        files.get("alice", *last)
    with pytest.raises(ApiError) as caught:
        files.add("alice", "a.png", b"1234567890")
    assert caught.value.code == "too_large"


async def test_a_file_goes_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "KEEP_S", 0.0)
    files = Kept()
    uri = files.add("alice", "a.png", b"1")
    gone = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, gone.set)
    await gone.wait()
    with pytest.raises(ApiError):
        files.get("alice", *place(uri))
