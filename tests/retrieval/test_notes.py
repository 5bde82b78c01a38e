from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.check_notes import main, problems, thin
from retrieval.errors import NoteError
from retrieval.notes import STARTER, parse_note, read_library, split_sentences
from retrieval.passages import cut_passages

NOTE = """---
id: wrist
title: Wrist sprain
domains: [xray/bone]
findings: [sprain]
licence: CC0-1.0
date: 2026-11-23
---
## What it is

A sprain is a stretched ligament, e.g. of the wrist.[^a] It hurts by 2.5 points.[^a][^b]

## Pitfalls

It may hide a fracture. [^b]
"""
REFERENCES = """
- {id: a, title: A, source: S, url: "https://example.org/a", opened: made for a test}
- {id: b, title: B, source: S, url: "https://example.org/b", opened: made for a test}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "wrist.md").write_text(NOTE)
    (tmp_path / "references.yaml").write_text(REFERENCES)
    return tmp_path


def test_the_starter_notes_are_in_order() -> None:
    library = read_library(STARTER)
    assert problems(library) == []
    assert thin(library) == []
    assert main([]) == 0
    assert len(library.notes) >= 200


def test_a_thin_library_is_told(folder: Path) -> None:
    said = thin(read_library(folder))
    assert "xray/bone: 1 notes; at least 5 are wanted" in said
    assert "fundus: 0 notes; at least 5 are wanted" in said
    assert not any(line.startswith("wrist") for line in said)
    (folder / "wrist.md").write_text(NOTE.split("## Pitfalls")[0])
    assert "wrist: 2 sentences in 1 sections; at least 3 in 2 are wanted" in thin(read_library(folder))


def test_every_passage_and_sentence_is_verbatim_in_its_note() -> None:
    library = read_library(STARTER)
    passages = cut_passages(library.notes)
    for passage in passages:
        assert passage.note.text[passage.start : passage.end] == passage.text
        assert all(sentence.text in passage.text for sentence in passage.sentences)
        assert set(passage.reference_ids) <= set(library.references)
        assert "[^" not in passage.text
    told = [sentence for passage in passages for sentence in passage.sentences]
    assert told == [sentence for note in library.notes for sentence in note.sentences()]


def test_a_note_is_read_with_its_references(folder: Path) -> None:
    note = read_library(folder).notes[0]
    first, second, third = note.sentences()
    assert first.text == "A sprain is a stretched ligament, e.g. of the wrist."
    assert second.text == "It hurts by 2.5 points."
    assert second.references == ("a", "b")
    assert third.references == ("b",)
    assert [section.heading for section in note.sections] == ["What it is", "Pitfalls"]
    assert problems(read_library(folder)) == []
    assert main([str(folder)]) == 0


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("e.g. of the wrist.[^a]", "of the wrist. Rest helps.[^a]", "more than one sentence"),
        ("hide a fracture. [^b]", "hide a fracture.", "no reference"),
        ("## Pitfalls", "## Traps", "headings"),
        ("CC0-1.0", "unknown", "licence"),
        ("xray/bone", "xray/toe", "no domain"),
        ("points.[^a]", "points[^a]", "full stop"),
        ("[^a][^b]", "[^a][^a]", "twice"),
    ],
)
def test_the_check_finds_a_fault(folder: Path, old: str, new: str, fault: str) -> None:
    (folder / "wrist.md").write_text(NOTE.replace(old, new))
    assert any(fault in line for line in problems(read_library(folder)))
    assert main([str(folder)]) == 1


def test_the_check_finds_an_unused_reference(folder: Path) -> None:
    (folder / "references.yaml").write_text(
        REFERENCES + '- {id: c, title: C, source: S, url: "https://e.org", opened: x}'
    )
    assert problems(read_library(folder)) == ["references: 'c' is used by no note"]


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("wrist.md", NOTE.replace("[^a]", "[^missing]"), "lacks"),
        ("wrist.md", "no front matter", "front matter"),
        ("wrist.md", NOTE.replace("id: wrist", "id: Wrist!"), "id"),
        ("wrist.md", NOTE.split("##")[0], "no section"),
        ("wrist.md", NOTE.replace("title: Wrist sprain", "title: [unclosed"), "YAML"),
        ("other.md", NOTE, "same id"),
        ("references.yaml", REFERENCES + REFERENCES, "twice"),
        ("references.yaml", "a: b", "not a list"),
        ("references.yaml", "- {id: a}", "entry 1"),
    ],
)
def test_a_broken_library_is_one_clear_error(folder: Path, name: str, text: str, fault: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(NoteError, match=fault):
        read_library(folder)
    assert main([str(folder)]) == 1


def test_a_folder_without_notes_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoteError, match="holds no note"):
        read_library(tmp_path)


def test_a_note_that_is_no_text_is_an_error(folder: Path) -> None:
    (folder / "wrist.md").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(NoteError, match="UTF-8"):
        read_library(folder)


def test_notes_of_ones_own_need_no_references(tmp_path: Path) -> None:
    (tmp_path / "own.md").write_text(NOTE.replace("[^a]", "").replace("[^b]", ""))
    note = read_library(tmp_path).notes[0]
    assert [sentence.references for sentence in note.sentences()] == [(), (), ()]


sentences = st.from_regex(r"[A-Z][a-z ,0-9]{0,40}[a-z]\.", fullmatch=True).map(lambda text: " ".join(text.split()))
markers = st.lists(st.sampled_from(["a", "b", "long-id-2"]), min_size=1, max_size=3)


@given(st.lists(st.tuples(sentences, markers), max_size=6), st.sampled_from([" ", "\n", "\n\n"]))
def test_splitting_gives_back_what_was_joined(parts: list[tuple[str, list[str]]], between: str) -> None:
    body = between.join(text + "".join(f"[^{id_}]" for id_ in ids) for text, ids in parts)
    assert list(split_sentences(body)) == [(text, tuple(ids)) for text, ids in parts]


@given(st.text(max_size=400))
def test_any_text_is_a_note_with_offsets_that_hold_or_a_note_error(text: str) -> None:
    head = NOTE.split("## What")[0]
    try:
        note = parse_note(f"{head}## What it is\n{text}", "any.md")
    except NoteError:
        return
    for sentence in note.sentences():
        assert note.text[sentence.start : sentence.end] == sentence.text
