"""Trains the tagger of names, places and facilities in free text, and writes its weights and card.

Run ``python -m training.tagger FOLDER`` where FOLDER is ``shared/data``. It learns from texts that
``training/clinical_text.py`` writes, and from half of MedQuAD's documents as text without anybody. No text with identity
that comes from elsewhere teaches anything. The encoder's layers stay as they are, so their output is computed once.
"""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from guardrails.phi.folding import fold
from guardrails.phi.patterns import ClinicalPatterns
from guardrails.phi.tagger import Word, words_of
from guardrails.phi.tags import TAGS, word_shapes
from overread.early_layers import early_layers
from training.clinical_text import OTHER, ClinicalTextWriter
from training.harmless import medquad_texts

if TYPE_CHECKING:
    from torch import Tensor

DEPTH = 2
IGNORED = -100
MOST_PIECES = 400
CROPPED = 0.3
"""Share of the texts that begin and end anywhere, as what the gate looks at does."""


@dataclass(frozen=True)
class Example:
    """The words of a text as the network sees them: what they mean, how they are written, and their tags."""

    meanings: NDArray[np.float16]
    shapes: NDArray[np.int64]
    tags: NDArray[np.int64]


def labelled(text: str, spans: Iterable[tuple[int, int, str]], words: list[Word]) -> NDArray[np.int64]:
    """The tag of each word of the folded text; ``IGNORED`` where a stretch is neither identity nor its absence."""
    folded = fold(text)
    tags = np.zeros(len(words), np.int64)
    marked = sorted(spans)
    for n, word in enumerate(words):
        start, end = folded.span(word.start, word.end)
        kind = next((kind for a, b, kind in marked if a < end and start < b), None)
        if kind is not None:
            tags[n] = IGNORED if kind == OTHER else TAGS.index(kind)
    return tags


def written(count: int, seed: int, part: int | None) -> Iterator[tuple[str, tuple[tuple[int, int, str], ...]]]:
    """Texts of our own with what is marked in them."""
    for one in ClinicalTextWriter(seed, part).texts(count):
        yield one.text, one.spans


def harmless(texts: Iterable[str]) -> Iterator[tuple[str, tuple[tuple[int, int, str], ...]]]:
    """Texts without anybody. What the patterns take for identity in them teaches nothing."""
    patterns = ClinicalPatterns()
    for text in texts:
        yield text, tuple((span.start, span.end, OTHER) for span in patterns.spans(text))


def examples(
    texts: Iterable[tuple[str, tuple[tuple[int, int, str], ...]]], seed: int, depth: int = DEPTH
) -> Iterator[Example]:
    """The texts as the network sees them, some of them cropped."""
    draw = np.random.default_rng(seed)
    layers = early_layers(depth)
    for text, spans in texts:
        words = words_of(fold(text).text)
        tags = labelled(text, spans, words)
        if len(words) > 12 and draw.random() < CROPPED:
            begin = int(draw.integers(0, len(words) // 2))
            end = int(draw.integers(begin + 6, len(words) + 1))
            words, tags = words[begin:end], tags[begin:end]
        pieces = layers.pieces([word.text for word in words])
        if not words or sum(map(len, pieces)) > MOST_PIECES:
            continue
        shapes = word_shapes([(word.text, word.before) for word in words], [len(one) for one in pieces])
        yield Example(layers.words(pieces).astype(np.float16), shapes, tags)
