import os
import stat
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

from overread.encoder import DIMENSIONS
from retrieval.errors import BaseError, SourceError
from retrieval.storage import indexing, vectors
from retrieval.storage.base import StoredBase
from retrieval.storage.generations import current, writing


def silent(_stage: str, _done: int, _total: int) -> None:
    """No progress is shown."""


class Encoder:
    """Stands for the sentence encoder where what matters is which texts are given to it."""

    def __init__(self, most: int | None = None) -> None:
        self.texts: list[str] = []
        self._most = most

    def encode(self, texts: list[str]) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
        if self._most is not None and len(self.texts) >= self._most:
            raise KeyboardInterrupt
        self.texts += texts
        out = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for row, text in enumerate(texts):
            out[row, sum(text.encode()) % DIMENSIONS] = 1
        return out


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> Encoder:
    made = Encoder()
    monkeypatch.setattr(indexing, "sentence_encoder", lambda: made)
    return made


def grep(folder: Path, text: str) -> bool:
    return any(text.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_what_has_not_changed_is_not_read_again(base: Path, documents: Path) -> None:
    before = current(base)
    report = indexing.add(base, [documents], silent)
    assert (report.added, report.files_unchanged) == (0, 3)
    assert current(base) == before


def test_a_changed_file_replaces_its_documents(base: Path, documents: Path) -> None:
    (documents / "goitre.md").write_text("# Goitre\n\nIt is treated with thyroxine.\n")
    report = indexing.add(base, [documents], silent)
    assert (report.added, report.replaced, report.files_unchanged) == (0, 1, 2)
    opened = StoredBase.open(base)
    assert opened.texts.documents == 4
    assert opened.search("thyroxine", dense=False)[0].stored.text == "It is treated with thyroxine."
    assert not opened.search("iodine", dense=False)
    assert not grep(base, "iodine")


def test_a_copy_under_another_name_is_the_same_document(base: Path, documents: Path) -> None:
    with zipfile.ZipFile(documents / "copy.zip", "w") as archive:
        archive.write(documents / "zorblax.jsonl", "zorblax.jsonl")
        archive.writestr("readme.txt", "This is about the archive.")
        archive.writestr("picture.png", b"\x89PNG\x00")
    report = indexing.add(base, [documents / "copy.zip"], silent)
    assert (report.added, report.files_passed_over) == (0, 2)
    # The source of a line of JSONL is its file where it names none; the content is the same.
    assert report.same == 2


def test_a_broken_file_stops_nothing_and_is_told_each_time(base: Path, documents: Path) -> None:
    (documents / "broken.pdf").write_bytes(b"%PDF-1.7\nno")
    (documents / "more.txt").write_text("Rickets softens bones.")
    for added in (1, 0):
        report = indexing.add(base, [documents], silent)
        assert report.added == added
        ((path, why),) = report.problems
        assert (Path(path).name, "broken PDF" in why) == ("broken.pdf", True)
    assert StoredBase.open(base).search("rickets", dense=False)


def test_what_is_removed_is_in_no_file_and_stays_out(base: Path, documents: Path, encoder: Encoder) -> None:
    indexing.fill(base, silent)
    (found,) = StoredBase.open(base).search("granulomas", dense=False)
    assert grep(base, "Granulomas")
    assert indexing.remove(base, [found.stored.document.id], silent) == ["Sarcoidosis"]
    assert not grep(base, "Granulomas")
    assert not grep(base, "granuloma")
    opened = StoredBase.open(base)
    assert (opened.texts.documents, opened.passages, opened.vectors) == (3, 3, 3)
    indexing.add(base, [documents], silent)
    assert StoredBase.open(base).texts.documents == 3
    indexing.add(base, [documents], silent, again=True)
    assert StoredBase.open(base).texts.documents == 4


def test_what_was_read_but_not_published_is_removed_too(
    base: Path, documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = StoredBase.open(base).search("granulomas", dense=False)[0].stored.document.id
    (documents / "new.txt").write_text("Rickets softens bones.")
    with monkeypatch.context() as patched:
        patched.setattr(indexing, "_publish", interrupt)
        with pytest.raises(KeyboardInterrupt):
            indexing.add(base, [documents], silent)
    assert grep(base / "staging", "Rickets")
    indexing.remove(base, [id_], silent)
    assert not grep(base, "Granulomas")


def test_reading_goes_on_where_it_was_interrupted(base: Path, documents: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (documents / "new.txt").write_text("Rickets softens bones.")
    with monkeypatch.context() as patched:
        patched.setattr(indexing, "_publish", interrupt)
        with pytest.raises(KeyboardInterrupt):
            indexing.add(base, [documents], silent)
    assert not StoredBase.open(base).search("rickets", dense=False)
    report = indexing.add(base, [documents], silent)
    assert (report.added, report.files_unchanged) == (0, 4)
    assert StoredBase.open(base).search("rickets", dense=False)


def test_the_last_document_can_be_removed(base: Path) -> None:
    indexing.remove(base, [facts.id for facts in StoredBase.open(base).texts.all_facts()], silent)
    opened = StoredBase.open(base)
    assert (opened.passages, opened.search("goitre", dense=False)) == (0, [])
    assert not grep(base, "oitre")


def test_nothing_is_encoded_twice(
    base: Path, documents: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert indexing.fill(base, silent) == 4
    assert indexing.fill(base, silent) == 0
    (documents / "new.txt").write_text("Rickets softens bones.")
    indexing.add(base, [documents], silent)
    assert StoredBase.open(base).vectors == 4
    assert indexing.fill(base, silent) == 1
    assert len(encoder.texts) == len(set(encoder.texts)) == 5
    opened = StoredBase.open(base)
    assert (opened.vectors, opened.compares_meaning) == (5, True)


def test_encoding_goes_on_where_it_was_interrupted(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "_SEGMENT", 1)
    first, second = Encoder(most=3), Encoder()
    monkeypatch.setattr(indexing, "sentence_encoder", lambda: first)
    with pytest.raises(KeyboardInterrupt):
        indexing.fill(base, silent)
    assert not StoredBase.open(base).compares_meaning
    monkeypatch.setattr(indexing, "sentence_encoder", lambda: second)
    assert indexing.fill(base, silent) == 1
    assert len({*first.texts, *second.texts}) == 4
    assert not (base / "pending").exists()


def test_a_damaged_segment_of_vectors_is_encoded_again(base: Path, encoder: Encoder) -> None:
    pending = base / "pending" / indexing.encoder_digest()[:16]
    pending.mkdir(parents=True)
    (pending / "000001.npy").write_bytes(b"\x93NUMPY nothing")
    assert indexing.fill(base, silent) == 4


def test_only_one_process_writes(base: Path, documents: Path) -> None:
    with writing(base), pytest.raises(BaseError, match="another command"):
        indexing.add(base, [documents], silent)


def test_a_folder_of_other_things_is_no_base(documents: Path, tmp_path: Path) -> None:
    with pytest.raises(BaseError, match="holds other things"):
        indexing.add(documents, [documents], silent)
    with pytest.raises(BaseError, match="is a file"):
        indexing.add(documents / "goitre.md", [documents], silent)
    with pytest.raises(SourceError, match="no file or folder"):
        indexing.add(tmp_path / "new", [tmp_path / "nowhere"], silent)
    assert not (tmp_path / "new").exists()


def test_texts_of_stop_words_alone_can_be_kept(tmp_path: Path) -> None:
    path = tmp_path / "the.txt"
    path.write_text("The of and. 中文。")
    indexing.add(tmp_path / "base", [path], silent)
    assert StoredBase.open(tmp_path / "base").passages == 1


def test_others_may_read_what_the_umask_lets_them(tmp_path: Path, documents: Path) -> None:
    before = os.umask(0o022)
    try:
        indexing.add(tmp_path / "base", [documents], silent)
    finally:
        os.umask(before)
    for path in [tmp_path / "base" / "current", *(tmp_path / "base" / "generations").rglob("*")]:
        assert path.stat().st_mode & stat.S_IROTH, path


def test_the_index_is_chosen_by_size() -> None:
    assert vectors.layout(5_000) == ("Flat", 0)
    assert vectors.layout(100_000)[0].startswith("IVF")


def interrupt(*_anything: object) -> None:
    raise KeyboardInterrupt


def test_grep_finds_what_is_there(base: Path) -> None:
    assert subprocess.run(["grep", "-rq", "Granulomas", str(base)], check=False).returncode == 0


def test_a_base_of_an_earlier_version_is_made_anew_from_its_texts(base: Path, documents: Path) -> None:
    folder = current(base)
    assert folder is not None
    about = folder / "base.json"
    about.write_text(about.read_text().replace('"format": 3', '"format": 1'))
    with pytest.raises(BaseError, match="overread index add"):
        StoredBase.open(base)
    with pytest.raises(BaseError, match="overread index add"):
        indexing.fill(base, silent)
    report = indexing.add(base, [documents], silent)
    assert (report.added, report.files_unchanged) == (0, 3)
    assert StoredBase.open(base).search("goitre", dense=False)[0].title == "Goitre"


def test_what_a_kill_left_pending_is_swept_away(base: Path, encoder: Encoder) -> None:
    indexing.fill(base, silent)
    (base / "pending" / "left").mkdir(parents=True)
    assert indexing.fill(base, silent) == 0
    assert not (base / "pending").exists()
