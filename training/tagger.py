"""Trains the tagger of names, places and facilities in free text, and writes its weights and card.

Run ``python -m training.tagger FOLDER`` where FOLDER is ``shared/data``. It learns from texts that
``training/clinical_text.py`` writes, and from half of MedQuAD's documents as text without anybody. No text with
identity that comes from elsewhere teaches anything. The encoder's layers stay as they are, so what they say
is computed once.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from guardrails.phi.folding import fold
from guardrails.phi.patterns import ClinicalPatterns
from guardrails.phi.tagger import ARCHITECTURE, NAME, Word, words_of
from guardrails.phi.tags import TAGS, word_shapes
from overread.cards import STARTER, Figure, Label, ModelCard, TrainingSet
from overread.early_layers import early_layers
from training.card import figure, write_card, write_weights
from training.clinical_text import OTHER, ClinicalTextWriter
from training.harmless import medquad_texts
from training.tagging import IGNORED, Head, batches, fit

if TYPE_CHECKING:
    from overread.cards import Weights

DEPTH = 2
LEAST = {"name": 0.97, "place": 0.97, "facility": 0.97}
"""How sure the network must be that a word is identity, for what it most likely is."""
COMMAND = "python -m training.tagger FOLDER"
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


def right(head: Head, rows: Sequence[Example]) -> list[Figure]:
    """How many words of unseen phrasings are told apart: of identity those found, of the rest those that stay."""
    import torch

    counts: Counter[str] = Counter()
    with torch.inference_mode():
        for meanings, shapes, mask, tags in batches(rows, np.random.default_rng(0)):
            chances = head.scores(meanings, shapes, mask, 0.0).softmax(dim=2)
            likeliest = chances[..., 1:].argmax(dim=2)
            least = torch.tensor([LEAST[tag] for tag in TAGS[1:]])[likeliest]
            found = chances[..., 1:].sum(dim=2) >= least
            for name, chosen in (("identity", tags > 0), ("rest", tags == 0)):
                counts[name] += int(chosen.sum())
                counts[f"{name} found"] += int((chosen & found).sum())
    words, rest = counts["identity"], counts["rest"]
    data = "texts of our own from lines that it did not learn from"
    return [
        figure("words of identity found", counts["identity found"] / words, words, data, COMMAND),
        figure("other words left alone", 1 - counts["rest found"] / rest, rest, data, COMMAND),
    ]


def card(weights: "Weights", written_texts: int, harmless_texts: int, figures: Sequence[Figure]) -> ModelCard:
    """The card of the tagger."""
    return ModelCard(
        name=NAME,
        version="1",
        title="Tagger of names and places",
        task="tagging",
        domains=(),
        architecture=ARCHITECTURE,
        input={"depth": DEPTH, "core_pieces": 144, "context_pieces": 48},
        labels=tuple(Label(name=tag, present_from=LEAST[tag]) for tag in TAGS[1:]),
        training=(
            TrainingSet(
                name="Clinical texts of our own making",
                licence="Apache-2.0",
                images=written_texts,
                source="training/clinical_text.py",
                note="texts, not images; every name and place in them is made up",
            ),
            TrainingSet(
                name="MedQuAD, half of its documents",
                licence="CC BY 4.0",
                images=harmless_texts,
                source="https://github.com/abachaa/MedQuAD",
                note="texts, not images; as text in which nobody is named",
            ),
        ),
        figures=tuple(figures),
        weights=weights,
        limits=(
            "English text; names in other alphabets are not measured.",
            "It reads what stands around a word: a name by itself, without any context, is not found.",
            "Numbers, dates and addresses of machines are the patterns' work.",
        ),
    )


def main() -> int:
    """Train, measure on unseen phrasings, write weights and card."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--texts", type=int, default=12_000, help="how many texts are written to learn from")
    parser.add_argument("--harmless", type=int, default=3_500, help="how many of MedQuAD's teach what nobody is")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--out", type=Path, default=STARTER / NAME)
    chosen = parser.parse_args()
    begun = time.monotonic()

    def say(what: str) -> None:
        sys.stderr.write(f"{time.monotonic() - begun:6.0f} s  {what}\n")

    rows: list[Example] = []
    plain = medquad_texts(chosen.folder, teaching=True, most=chosen.harmless)
    for source in (examples(written(chosen.texts, 1, 0), 1), examples(harmless(plain), 2)):
        for row in source:
            rows.append(row)
            if len(rows) % 2000 == 0:
                say(f"{len(rows)} texts read")
    head = fit(rows, 0, chosen.epochs, lambda epoch, loss: say(f"epoch {epoch + 1}: loss {loss:.4f}"))
    figures = right(head, list(examples(written(1500, 7, 1), 7)))
    weights = write_weights(chosen.out, {name: tensor.detach() for name, tensor in head.weights.items()})
    write_card(chosen.out, card(weights, chosen.texts, len(plain), figures))
    for one in figures:
        say(f"{one.name}: {one.value}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
