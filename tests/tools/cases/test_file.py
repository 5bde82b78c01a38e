from pathlib import Path

import numpy as np
import pytest

from tools.cases import file as case_file
from tools.cases.file import read_index, write_index
from tools.cases.index import CaseEntry, CaseIndex
from tools.errors import CaseIndexError


def made(labels: tuple[str, ...]) -> CaseIndex:
    entries = [CaseEntry(id=f"c{n}", label=label, domain="fundus", source="t") for n, label in enumerate(labels)]
    return CaseIndex(entries, np.eye(8, dtype=np.float16)[: len(labels)])


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_index(tmp_path / "i", made(("drusen", "normal")), "tower")
    stored = read_index(tmp_path / "i")
    assert stored.tower == "tower"
    assert [entry.label for entry in stored.index.entries] == ["drusen", "normal"]
    assert np.array_equal(stored.index.vectors, made(("drusen", "normal")).vectors)
    assert (tmp_path / "i").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("place", [3, 200, -3])
def test_a_changed_byte_is_found(tmp_path: Path, place: int) -> None:
    path = tmp_path / "i"
    write_index(path, made(("drusen", "normal")), "tower")
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(CaseIndexError):
        read_index(path)


@pytest.mark.parametrize("data", [b"", b"not safetensors at all", b"\x80\x04\x95"])
def test_another_file_is_an_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "i").write_bytes(data)
    with pytest.raises(CaseIndexError, match="cannot be read"):
        read_index(tmp_path / "i")
    with pytest.raises(CaseIndexError, match="no case index"):
        read_index(tmp_path / "none")


def test_a_crash_while_writing_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "i"
    write_index(path, made(("drusen",)), "tower")

    def crash(_number: int) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(case_file.os, "fsync", crash)
    with pytest.raises(OSError, match="full"):
        write_index(path, made(("drusen", "normal")), "tower")
    assert len(read_index(path).index) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["i"]
