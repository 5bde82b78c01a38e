from pathlib import Path

import numpy as np
import pytest

from overread.encoder import sentence_encoder
from retrieval import starter_vectors
from retrieval.check_notes import unencoded
from retrieval.notes import STARTER, read_library
from retrieval.search import searchable_texts

NOT_SHIPPED = "A sentence that no note has."


def test_every_passage_of_the_starter_notes_is_there() -> None:
    assert unencoded(read_library(STARTER)) == []


def test_a_shipped_vector_is_that_of_its_text_and_the_others_are_encoded() -> None:
    texts = [*searchable_texts(read_library(STARTER))[:3], NOT_SHIPPED]
    cosines = np.sum(starter_vectors.encoded(texts) * sentence_encoder().encode(texts), axis=1)
    assert cosines.min() > 0.9999


def test_vectors_of_another_encoder_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starter_vectors.write([NOT_SHIPPED], tmp_path / "v.npz")
    monkeypatch.setattr(starter_vectors, "files", lambda _: tmp_path)
    monkeypatch.setattr(starter_vectors, "FILE", "v.npz")
    starter_vectors.shipped.cache_clear()
    assert list(starter_vectors.shipped()) == [starter_vectors.key(NOT_SHIPPED)]
    monkeypatch.setattr(starter_vectors, "encoder_digest", lambda: "another")
    starter_vectors.shipped.cache_clear()
    assert not starter_vectors.shipped()
    monkeypatch.undo()
    starter_vectors.shipped.cache_clear()
