import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.phi.folding import fold
from guardrails.phi.tagger import words_of
from guardrails.phi.tags import TAGS
from training.clinical_text import OTHER, ClinicalTextWriter, WrittenText
from training.tagger import IGNORED, labelled


def texts(count: int, seed: int = 3, part: int | None = None) -> list[WrittenText]:
    return list(ClinicalTextWriter(seed, part).texts(count))


@given(st.integers(0, 10_000))
def test_what_is_marked_lies_in_the_text_in_order(seed: int) -> None:
    one = ClinicalTextWriter(seed).write()
    last = 0
    for start, end, kind in one.spans:
        assert last <= start < end <= len(one.text)
        assert kind in {*TAGS[1:], OTHER}
        assert one.text[start:end].strip()
        last = end


def test_the_same_seed_writes_the_same() -> None:
    assert texts(50) == texts(50)
    assert texts(50, seed=4) != texts(50)


def test_no_slot_is_left_unfilled() -> None:
    assert not [one.text for one in texts(2000) if re.search(r"\{_?\w+\^?\}", one.text)]


def test_texts_without_anybody_have_no_identity_marked() -> None:
    writer = ClinicalTextWriter(5)
    for kind in ("harmless_query", "harmless_note", "harmless_chat", "passage"):
        assert all({mark for *_, mark in writer.write(kind).spans} <= {OTHER} for _ in range(100))


@pytest.mark.parametrize("kind", ["query", "note", "telegraph", "letter", "referral", "chat"])
def test_texts_about_people_name_somebody_or_some_place(kind: str) -> None:
    writer = ClinicalTextWriter(6)
    named = [any(mark != OTHER for *_, mark in writer.write(kind).spans) for _ in range(200)]
    assert sum(named) > 190


def test_hardly_any_name_is_met_twice() -> None:
    names = [one.text[a:b].lower() for one in texts(3000) for a, b, kind in one.spans if kind == "name" and b - a > 8]
    assert len(names) > 1000
    assert len(set(names)) / len(names) > 0.9
    assert Counter(names).most_common(1)[0][1] < 8


def test_every_way_of_typing_is_there() -> None:
    written = [one.text for one in texts(1500)]
    assert sum(text.islower() for text in written) > 100
    assert sum(text.isupper() for text in written) > 15
    assert any("\n" in text for text in written)
    assert any(not text.isascii() for text in written)


def test_the_parts_begin_with_different_lines() -> None:
    openings = [{re.sub(r"\W.*", "", one.text, flags=re.S) for one in texts(400, part=part)} for part in (0, 1)]
    assert openings[0] != openings[1]
    writers = ClinicalTextWriter(0, 0), ClinicalTextWriter(0, 1)
    for kind in ("query", "chat", "note"):
        assert not set(writers[0]._openings(kind)) & set(writers[1]._openings(kind))


def test_a_word_has_the_tag_of_the_stretch_it_stands_in() -> None:
    text = "Søren Ødegård of Bækby, 12/3/2020"
    words = words_of(fold(text).text)
    tags = labelled(text, [(0, 13, "name"), (17, 22, "place"), (24, 33, OTHER)], words)
    assert [TAGS[tag] if tag != IGNORED else "?" for tag in tags][:5] == ["name", "name", "none", "place", "none"]
    assert set(tags[5:]) == {IGNORED}
