"""Chunks: the passages of a stored document, about 180 words each, cut at sentence ends and never across sections."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from retrieval.sentences import spans
from retrieval.sources.document import Document, Part

WORDS = 180
"""A passage has about this many words; the sentence encoder reads about as far."""

Span = tuple[int, int]


@dataclass(frozen=True)
class Chunk:
    """A run of sentences under one heading: ``document.text[start:end]``.

    ``sentences`` are half-open offsets in the document's text. ``section`` are the headings, outermost first.
    """

    section: str
    page: int | None
    start: int
    end: int
    sentences: tuple[Span, ...]


def cut(document: Document) -> list[Chunk]:
    """All chunks of a document, in order. Chunks of a section are of like length."""
    return [chunk for part in document.parts for chunk in _cut(document.text, part)]


def searchable(title: str, section: str, text: str) -> str:
    """What is indexed of a chunk: title, section and text."""
    return f"{title}. {section}. {text}" if section else f"{title}. {text}"


def content_key(text: str) -> bytes:
    """Names a searchable text: 16 bytes of its SHA-256. The same text is encoded once."""
    return hashlib.sha256(text.encode()).digest()[:16]


def _cut(text: str, part: Part) -> Iterator[Chunk]:
    sentences = list(spans(text, part.start, part.end))
    lengths = [len(text[start:end].split()) for start, end in sentences]
    total = sum(lengths)
    if not total:
        return
    runs = max(1, round(total / WORDS))
    begin, words, cut_off = 0, 0, 1
    for at, length in enumerate(lengths, start=1):
        words += length
        if at == len(lengths) or (cut_off < runs and words >= total * cut_off / runs):
            run = sentences[begin:at]
            yield Chunk(" › ".join(part.path), part.page, run[0][0], run[-1][1], tuple(run))
            begin = at
            while words >= total * cut_off / runs and cut_off < runs:
                cut_off += 1
