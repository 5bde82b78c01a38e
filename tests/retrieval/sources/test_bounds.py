import contextlib
import io
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import SourceError
from retrieval.sources import bounds
from retrieval.sources.document import Document
from retrieval.sources.files import listed, opened
from retrieval.sources.reading import read

Read = Callable[..., list[Document]]

LAUGHS = """<?xml version="1.0"?><!DOCTYPE Document [<!ENTITY a "haha">{}]><Document source="x"><Focus>&j;</Focus>
<QAPairs><QAPair><Question>q</Question><Answer>&j;</Answer></QAPair></QAPairs></Document>""".format(
    "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
)
OUTSIDE = """<!DOCTYPE Document [<!ENTITY secret SYSTEM "file:///etc/passwd">]><Document source="x">
<Focus>&secret;</Focus><QAPairs><QAPair><Question>q</Question><Answer>&secret;</Answer></QAPair></QAPairs></Document>"""


@pytest.mark.parametrize("attack", [LAUGHS, OUTSIDE])
def test_entities_are_never_expanded(documents: Read, attack: str) -> None:
    with pytest.raises(SourceError, match=r"entities|broken"):
        documents(attack)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"%PDF-1.4\nnothing more", "broken PDF"),
        (b"PK\x03\x04 no zip", "zip"),
        (b"<Document><QAPair></Document>", "broken XML"),
        (b"<html></article>", "nothing to read|no text"),
        (b"<article><front></article>", "broken XML"),
        (b"---\ntitle: [\n---\nText.", "front matter"),
        (b"\x00\x01\x02", "known kind"),
    ],
)
def test_what_is_broken_is_said_to_be(documents: Read, data: bytes, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        documents(data)


STARTS = [b"", b"%PDF-1.4\n", b"<article>", b"<html>", b"{", b"---\n", b"PK\x03\x04"]


@given(st.binary(max_size=400), st.sampled_from(STARTS))
def test_no_bytes_make_a_reader_fail_in_another_way(data: bytes, start: bytes) -> None:
    with contextlib.suppress(SourceError):
        for document in read(start + data, "x"):
            assert document.parts


def test_a_zip_bomb_is_not_opened(tmp_path: Path, bomb: bytes) -> None:
    path = tmp_path / "bomb.zip"
    path.write_bytes(bomb)
    (file,) = opened(path, named=True)
    assert file.data == b""
    assert "inflates suspiciously" in str(file.problem)


def test_a_member_larger_than_its_header_says_is_cut_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("retrieval.sources.bounds.read_bounded.__defaults__", (100,))
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("big.txt", "x" * 200)
        archive.writestr("good.txt", "Fine.")
    big, good = opened(path, named=True)
    assert "larger" in str(big.problem)
    assert good.data == b"Fine."


def test_archives_and_folders_are_walked(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.txt").write_text("B.")
    (tmp_path / ".hidden.txt").write_text("H.")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("in/c.txt")
        info.size = 2
        archive.addfile(info, io.BytesIO(b"C."))
        link = tarfile.TarInfo("evil")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    found = [file for path, named in listed([tmp_path]) for file in opened(path, named)]
    assert [(Path(file.path).name, file.data, file.named) for file in found] == [
        ("c.txt", b"C.", False),
        ("b.txt", b"B.", False),
    ]


def test_a_broken_archive_gives_what_was_before_the_break(tmp_path: Path) -> None:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as archive:
        for n in range(50):
            text = f"{n} ".encode() * 500
            info = tarfile.TarInfo(f"{n}.txt")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))
    path = tmp_path / "a.tgz"
    path.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    *good, last = opened(path, named=True)
    assert good
    assert all(file.problem is None for file in good)
    assert "broken" in str(last.problem)


def test_a_reader_that_hangs_is_stopped() -> None:
    started = time.monotonic()
    with pytest.raises(SourceError, match=r"more than 0\.05 seconds"), bounds.deadline(0.05):
        time.sleep(5)
    assert time.monotonic() - started < 2
