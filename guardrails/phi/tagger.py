"""Finds people, places and hospitals where no pattern can: a small network that reads each word in its sentence.

A word is seen as the packaged encoder's first layers see it, which know no case, beside how it is written. Two
convolutions over the words then say what each is. Weights and card lie in ``overread/models/phi-tagger``; how they
were made is in ``training/tagger.py``. What is found depends on the text alone.
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from guardrails.phi.folding import Folded, fold
from guardrails.phi.identity import is_clinical
from guardrails.phi.spans import Span, merge
from guardrails.phi.tags import TAGS, not_identity, word_shapes
from overread.cards import STARTER, CardFile, read_card
from overread.early_layers import EarlyLayers, Floats, early_layers, gelu
from overread.errors import CardError

NAME = "phi-tagger"
ARCHITECTURE = "word-tagger"
WORD = re.compile(r"[^\W_]+|[^\w\s]|_")
"""What is one word: letters and digits, or one other sign."""

CORE, CONTEXT = 144, 48
"""How many word pieces are judged at a time, and how many more are read on either side."""

NEAR = 4
"""How many words on either side are read where one sentence of a text is looked at. More of them find no more."""

REACH = 2
ENOUGH = 0.4
"""How likely a word must be identity when its neighbour surely is."""
OTHER_HALF = 0.05
"""The same for a word with a capital beside one word of a name, with or without a comma between: the other half of
the name, as in "Kowalski, June". The network, which knows no order of names, doubts such words for the comma's sake."""
KEPT = 512
_STRETCH = re.compile(r"\S+")
_PART_OF = re.compile(
    r"\b(?:sign|triad|law|circle|ligament|pouch|fissure|canal|cave|sulcus|islets|loop|tetralogy|foramen)"
    r" of (?:the )?$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Word:
    """One word of a folded text: where it stands, half-open, and the white space before it."""

    text: str
    start: int
    end: int
    before: str


def words_of(text: str) -> list[Word]:
    """The words of a folded text, in order."""
    words, at = [], 0
    for match in WORD.finditer(text):
        words.append(Word(match[0], *match.span(), text[at : match.start()]))
        at = match.end()
    return words


class NameTagger:
    """Tags names, places and facilities. Thread-safe; one serves the whole process.

    Raises ``CardError`` when the card or its weights are absent or are not what the card names.
    """

    def __init__(self, file: CardFile | None = None) -> None:
        from safetensors.numpy import load_file

        # The packaged one: a model of the user's, or a broken card of theirs, has no say over identity.
        file = file if file is not None else read_card(STARTER / NAME / "card.yaml")
        if file.card.architecture != ARCHITECTURE:
            raise CardError(f"the card {NAME} is not of the kind {ARCHITECTURE}; reinstall the starter weights")
        self._layers: EarlyLayers = early_layers(int(file.card.input["depth"]))
        self._weights: dict[str, Floats] = {k: v.astype(np.float32) for k, v in load_file(file.weights()).items()}
        bands = {label.name: label.present_from for label in file.card.labels}
        self._least = np.array([bands[tag] if bands.get(tag) else 2.0 for tag in TAGS[1:]], np.float32)
        self._known: OrderedDict[bytes, tuple[Span, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def spans(self, text: str, within: tuple[int, int] | None = None) -> list[Span]:
        """Where a person, a place or a facility is named, in offsets of ``text``, in order and without overlap.

        With ``within``, half-open, only that part and ``NEAR`` words on either side of it are read. A single word
        says nothing by itself and is not looked at. Answers are kept under a hash of what was read, so that a
        sentence that is looked at twice costs once.
        """
        if within is not None:
            left, right = _near(text, *within)
            return [Span(s.start + left, s.end + left, s.kind) for s in self.spans(text[left:right])]
        key = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        with self._lock:
            known = self._known.get(key)
        if known is None:
            folded = fold(text)
            words = words_of(folded.text)
            found = self._found(words) if sum(word.text[0].isalpha() for word in words) > 1 else []
            named = (span for span in _spans(found, words, folded) if not _is_eponym(text, span))
            known = tuple(merge(named))
            with self._lock:
                self._known[key] = known
                if len(self._known) > KEPT:
                    self._known.popitem(last=False)
        return list(known)

    def probabilities(self, words: list[Word]) -> Floats:
        """How likely each word is each of ``TAGS``: ``(words, len(TAGS))``. At most 510 pieces together."""
        pieces = self._layers.pieces([word.text for word in words])
        return self._judged(words, pieces)

    def _found(self, words: list[Word]) -> list[int]:
        """The tag of each word."""
        pieces = self._layers.pieces([word.text for word in words])
        tags: list[int] = []
        for left, begin, end, right in _windows([len(word) for word in pieces]):
            judged = self._judged(words[left:right], pieces[left:right])[begin - left : end - left]
            decided = [_decided(row, self._least) for row in judged]
            tags += _with_other_half(_with_neighbours(decided, judged), judged, words[begin:end])
        return tags

    def _judged(self, words: list[Word], pieces: list[list[int]]) -> Floats:
        weights = self._weights
        shapes = word_shapes([(word.text, word.before) for word in words], [len(word) for word in pieces])
        hidden = self._layers.words(pieces) @ weights["in.weight"] + weights["in.bias"]
        hidden = gelu(hidden + weights["shape"][shapes].sum(axis=1))
        for name, step in (("near", 1), ("far", 2)):
            hidden = hidden + gelu(_neighbours(hidden, step) @ weights[f"{name}.weight"] + weights[f"{name}.bias"])
        scores = hidden @ weights["out.weight"] + weights["out.bias"]
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        out: Floats = scores / scores.sum(axis=1, keepdims=True)
        return out


def _near(text: str, start: int, end: int) -> tuple[int, int]:
    """A part of a text with ``NEAR`` stretches between white space before and behind it."""
    before = [match.start() for match in _STRETCH.finditer(text, 0, start)]
    behind = [match.end() for match in islice(_STRETCH.finditer(text, end), NEAR)]
    return min([start, *before[-NEAR:]]), max([end, *behind])


def _neighbours(hidden: Floats, step: int) -> Floats:
    """Each word beside the ``REACH`` words before and behind it, ``step`` apart: ``(words, 5 * width)``."""
    edge = REACH * step
    padded = np.pad(hidden, ((edge, edge), (0, 0)))
    return np.concatenate([padded[n * step : n * step + len(hidden)] for n in range(2 * REACH + 1)], axis=1)


def _decided(row: NDArray[np.float32], least: NDArray[np.float32]) -> int:
    """The tag of one word: identity when the identities together are likely enough for the likeliest of them."""
    likeliest = int(row[1:].argmax())
    return likeliest + 1 if float(row[1:].sum()) >= least[likeliest] else 0


def _with_neighbours(tags: list[int], judged: Floats) -> list[int]:
    """The tags, with those of a word that is surely identity carried on to its neighbours that may well be."""
    likely = 1 - judged[:, 0] >= ENOUGH
    out = list(tags)
    for order in (range(1, len(out)), range(len(out) - 2, -1, -1)):
        for n in order:
            beside = out[n - order.step]
            if not out[n] and beside and likely[n]:
                out[n] = beside
    return out


def _with_other_half(tags: list[int], judged: Floats, words: list[Word]) -> list[int]:
    """The tags, with names of one word made whole: "Kowalski, June", "June Petrova"."""
    name, out = TAGS.index("name"), list(tags)
    likely = 1 - judged[:, 0] >= OTHER_HALF
    named = {n for n, tag in enumerate(tags) if tag == name and words[n].text != ","}
    for n in sorted(named):
        for step in (-1, 1):
            other = n + step
            if 0 <= other < len(words) and words[other].text == ",":
                other += step
            if {n - 1, n + 1, other, 2 * n - other} & named:
                continue  # the name has more than one word
            if 0 <= other < len(words) and not tags[other] and likely[other] and _may_be_a_name(words[other].text):
                for k in range(n + step, other + step, step):
                    out[k] = name
    return out


def _may_be_a_name(word: str) -> bool:
    """Whether a word may be half of a name. English words such as "Brown" may; those of medicine may not."""
    return len(word) > 2 and word.isalpha() and word[0].isupper() and not is_clinical(word.lower())


def _windows(sizes: list[int]) -> Iterator[tuple[int, int, int, int]]:
    """Cuts of a long text, in words: what is read begins, what is judged begins and ends, what is read ends."""
    begin = 0
    while begin < len(sizes):
        end, held = begin, 0
        while end < len(sizes) and (held + sizes[end] <= CORE or end == begin):
            held += sizes[end]
            end += 1
        left, right = begin, end
        before = behind = 0
        while left > 0 and before + sizes[left - 1] <= CONTEXT:
            left -= 1
            before += sizes[left]
        while right < len(sizes) and behind + sizes[right] <= CONTEXT:
            behind += sizes[right]
            right += 1
        yield left, begin, end, right
        begin = end


def _spans(tags: list[int], words: list[Word], folded: Folded) -> Iterator[Span]:
    """Runs of words with one tag as spans, without those that can be nobody."""
    at = 0
    while at < len(tags):
        end = at + 1
        while end < len(tags) and tags[end] == tags[at]:
            end += 1
        run = words[at:end]
        while run and not run[-1].text[0].isalnum():
            run.pop()
        while run and not run[0].text[0].isalnum():
            run.pop(0)
        if tags[at] and run and not not_identity([word.text for word in run], TAGS[tags[at]]):
            yield Span(*folded.span(run[0].start, run[-1].end), TAGS[tags[at]])
        at = end


def _is_eponym(text: str, span: Span) -> bool:
    """Whether one word names a part of the body or a sign after somebody: "the circle of Willis"."""
    one_word = " " not in text[span.start : span.end].strip()
    return span.kind == "name" and one_word and _PART_OF.search(text, max(0, span.start - 24), span.start) is not None


@lru_cache(maxsize=1)
def name_tagger() -> NameTagger:
    """The process's tagger, read on first use."""
    return NameTagger()
