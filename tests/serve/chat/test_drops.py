"""A drop as it is received: whole in any pieces, bounded before it is read, and told in words."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overread.settings import Settings
from serve.chat.drops import LONGEST_LIST, receive
from serve.chat.faults import fault, size_words
from serve.errors import DropError
from tools.errors import TooLargeError, UnreadableStudyError

LIMITS = Settings(max_file_bytes=1000, max_study_bytes=2500, max_files=10)
FILES = st.lists(st.tuples(st.binary(max_size=300), st.sampled_from([None, 0, 1])), min_size=1, max_size=8)


def body(files: list[tuple[bytes, int | None]]) -> bytes:
    head = json.dumps({"files": [[len(data), folder] for data, folder in files]})
    return head.encode() + b"\n" + b"".join(data for data, _ in files)


def received(pieces: list[bytes], place: Path) -> None:
    async def stream() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    asyncio.run(receive(stream(), place, LIMITS))


@given(files=FILES, cuts=st.lists(st.integers(0, 2000), max_size=12))
def test_files_arrive_as_they_were_however_they_are_cut(files: list[tuple[bytes, int | None]], cuts: list[int]) -> None:
    whole = body(files)
    edges = sorted({0, len(whole), *(min(cut, len(whole)) for cut in cuts)})
    with tempfile.TemporaryDirectory() as name:
        received([whole[a:b] for a, b in pairwise(edges)], Path(name))
        for number, (data, folder) in enumerate(files):
            path = Path(name) / (f"{number:06d}" if folder is None else f"folder-{folder}/{number:06d}")
            assert path.read_bytes() == data
        assert sum(path.is_file() for path in Path(name).rglob("*")) == len(files)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", "did not arrive whole"),
        (b"no json\n", "did not arrive whole"),
        (b'{"files": []}\n', "did not arrive whole"),
        (b'{"files": [[5, null]]}\nabc', "did not arrive whole"),
        (b'{"files": [[1, null]]}\nabc', "did not arrive whole"),
        (b'{"files": [[-1, null]]}\n', "did not arrive whole"),
        (b'{"files": [[1, "../.."]]}\na', "did not arrive whole"),
        (b'{"files": [[1, -1]]}\na', "did not arrive whole"),
        (b"x" * (LONGEST_LIST + 1), "did not arrive whole"),
        (b'{"files": [[1001, null]]}\n', "larger than 1 kB"),
        (b'{"files": [[900, null], [900, null], [900, null]]}\n', "2.44 kB together"),
        (b'{"files": [' + b", ".join([b"[0, null]"] * 11) + b"]}\n", "more than 10 files"),
    ],
)
def test_what_is_too_much_or_not_whole_is_told(sent: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(DropError, match=said):
        received([sent], tmp_path)


def test_a_stream_that_stalls_ends(tmp_path: Path) -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield b'{"files": [[5, null]]}\n'
        await asyncio.Event().wait()

    with pytest.raises(DropError, match="did not arrive whole"):
        asyncio.run(receive(stalled(), tmp_path, Settings(api_read_s=0.05)))


def test_faults_are_in_the_words_of_who_dropped_it() -> None:
    large = TooLargeError(
        "The file has more than 536,870,912 bytes; give a smaller one or raise OVERREAD_MAX_FILE_BYTES."
    )
    assert fault(large) == {
        "what": "The file has more than 512 MB.",
        "todo": "Give a smaller one or ask whoever runs Overread here to allow more.",
    }
    cut = UnreadableStudyError("The volume is shorter than its header says: it was cut off. Copy it again.")
    assert fault(cut)["todo"] == "Copy it again."
    text = UnreadableStudyError("The file is text, whatever its name says; name an image file.")
    assert fault(text)["todo"] == "Choose an image file."
    assert fault("it is broken")["todo"] == "Export or copy it again."


@pytest.mark.parametrize(
    ("count", "words"), [(0, "1 kB"), (2**20, "1 MB"), (512 * 2**20, "512 MB"), (3 * 2**29, "1.5 GB")]
)
def test_sizes_in_words(count: int, words: str) -> None:
    assert size_words(count) == words
