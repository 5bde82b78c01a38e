import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from retrieval.errors import BaseError
from retrieval.storage import indexing, vectors
from retrieval.storage.base import StoredBase
from retrieval.storage.generations import current


def silent(_stage: str, _done: int, _total: int) -> None:
    """No progress is shown."""


def titles(base: Path, query: str, **how: object) -> list[str]:
    return [one.title for one in StoredBase.open(base).search(query, dense=False, **how)]  # type: ignore[arg-type]


def test_a_citation_opens_the_exact_sentence(base: Path) -> None:
    opened = StoredBase.open(base)
    (found,) = opened.search("How is sarcoidosis confirmed?", dense=False)
    text = opened.texts.text(found.stored.document.id)
    assert text is not None
    assert [text[a:b] for a, b in found.answer] == ["Sarcoidosis is confirmed by biopsy.", "Granulomas are seen."]
    assert text[found.stored.start : found.stored.end] == found.stored.text == found.passage("S1").text
    assert found.passage("S1").title == "Sarcoidosis: Confirming it"
    assert found.likely


def test_filters_leave_out(base: Path) -> None:
    assert titles(base, "goitre") == ["Goitre", "Report 1"]
    assert titles(base, "goitre", role="knowledge") == ["Goitre"]
    assert titles(base, "goitre", since="2019-04") == ["Goitre"]
    assert titles(base, "goitre", since="2019-06") == []
    assert titles(base, "goitre", source="jsonl") == ["Report 1"]
    assert titles(base, "goitre", domain="xray/chest") == []
    with pytest.raises(BaseError, match="YYYY"):
        titles(base, "goitre", since="last year")


def test_what_is_retracted_says_so_and_comes_last(base: Path, documents: Path) -> None:
    (documents / "asthma.txt").write_text("Asthma\n\nSteroids help in asthma.")
    indexing.add(base, [documents], silent)
    assert titles(base, "asthma") == ["Asthma", "[RETRACTED] Zorblax"]
    (found,) = StoredBase.open(base).search("zorblax", dense=False)
    assert found.source == "zorblax.jsonl, 2011, retracted"
    assert titles(base, "asthma", retracted=False) == ["Asthma"]


def test_meaning_finds_what_no_word_does(base: Path) -> None:
    indexing.fill(base, silent)
    opened = StoredBase.open(base)
    assert opened.compares_meaning
    best = opened.search("enlarged thyroid gland", k=1)[0]
    assert best.title in ("Goitre", "Report 1")
    assert best.cosine is not None
    assert best.cosine > 0.3
    allowed = opened.search("enlarged thyroid gland", role="knowledge", since="2012")
    assert [one.title for one in allowed] == ["Goitre"]


def test_a_reader_keeps_what_it_opened(base: Path, documents: Path) -> None:
    before = StoredBase.open(base)
    (documents / "sarcoidosis.md").unlink()
    indexing.remove(base, [before.search("sarcoidosis", dense=False)[0].stored.document.id], silent)
    assert before.search("sarcoidosis", dense=False)[0].title == "Sarcoidosis"
    assert not StoredBase.open(base).search("sarcoidosis", dense=False)


def test_a_base_is_shared_between_threads(base: Path) -> None:
    opened = StoredBase.open(base)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: opened.search("goitre iodine", dense=False)[0].title, range(64)))
    assert set(found) == {"Goitre"}


def test_damage_is_found_and_an_older_whole_generation_is_used(base: Path) -> None:
    whole = current(base)
    assert whole is not None
    newer = whole.with_name("000009")
    shutil.copytree(whole, newer)
    (newer / "library.sqlite").write_bytes(b"cut off")
    (base / "current").write_text("000009")
    assert current(base) == whole
    (whole / "library.sqlite").write_bytes(b"cut off")
    with pytest.raises(BaseError, match="damaged"):
        StoredBase.open(base)


def test_a_changed_byte_is_found_by_info(base: Path) -> None:
    folder = current(base)
    assert folder is not None
    opened = StoredBase.open(base)
    assert opened.about()["documents"] == 4
    path = folder / "data.csc.index.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(BaseError, match="damaged"):
        opened.about()


def test_there_is_no_base_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(BaseError, match="overread index add"):
        StoredBase.open(tmp_path / "nowhere")


@pytest.mark.parametrize("count", [2_000, 20_000])
def test_the_vector_index_finds_the_nearest_and_opens_at_once(tmp_path: Path, count: int) -> None:
    random = np.random.default_rng(0)
    centres = random.standard_normal((50, 384))
    made = centres[random.integers(0, 50, count)] + 0.7 * random.standard_normal((count, 384))
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    vectors.write(np.arange(count, dtype=np.int32), made.astype(np.float16), tmp_path, indexed=True)
    started = time.perf_counter()
    opened = vectors.Vectors(tmp_path, count)
    assert time.perf_counter() - started < 0.5
    hits = 0
    for row in range(0, count, count // 20):
        query = made[row].astype(np.float32)
        exact = set(np.argsort(-(made @ query))[:10].tolist())
        hits += len(exact & set(opened.nearest(query, 10).tolist()))
    assert hits >= 0.9 * 200
    allowed = np.zeros(count, dtype=np.bool_)
    allowed[7] = True
    assert opened.nearest(made[0].astype(np.float32), 10, allowed).tolist() in ([7], [])
    assert opened.cosines(made[7].astype(np.float32), np.array([7], dtype=np.int32))[0] == pytest.approx(1, abs=1e-3)
