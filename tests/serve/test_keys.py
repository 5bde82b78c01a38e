"""API keys in their file."""

from pathlib import Path

import pytest

from serve.errors import ArgumentsError, KeysError
from serve.keys import Keys


def test_a_key_opens_until_it_is_removed_and_is_stored_only_hashed(tmp_path: Path) -> None:
    path = tmp_path / "own" / "keys.json"
    writer, server = Keys(path), Keys(path)
    stored, key = writer.add("ward-3")
    _, other = writer.add("ward-4")
    assert server.owner(key) == server.owner(key) == stored.id
    assert server.owner(other) != stored.id
    assert key.split("_")[2] not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    for wrong in ("", "x", key[:-1], key + "x", key.replace(stored.id, "0" * 12), "ovr_" + stored.id + "_" + "A" * 43):
        assert server.owner(wrong) is None
    writer.remove(stored.id)
    assert server.owner(key) is None
    assert [kept.label for kept in server.all()] == ["ward-4"]
    with pytest.raises(KeysError):
        writer.remove(stored.id)


def test_a_label_that_could_be_a_name_and_a_broken_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentsError):
        Keys(tmp_path / "keys.json").add("Jane Doe")
    (tmp_path / "keys.json").write_text('{"keys": [{}]}')
    with pytest.raises(KeysError):
        Keys(tmp_path / "keys.json").owner("x")
