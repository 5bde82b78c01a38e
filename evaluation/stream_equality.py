"""Whether the gate's stream equals its offline result, for every way of cutting clinical queries in two, and more.

Run ``python -m evaluation.stream_equality FOLDER`` where FOLDER is ``shared/data/phi``. Each query is fed in every two
chunks there are and one character at a time; two queries in a row as well, at every seventh place, so that a
sentence is released before the text ends. What is compared is everything the gate says: texts, claims, verdicts
and counts.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from evaluation.figure import Figure, at_most, print_figures
from evaluation.identity_texts import Marked, read_asq
from guardrails.gate import Gate, Released
from guardrails.ledger import Ledger
from guardrails.phi.identity import Identity
from guardrails.phi.text import TextDetector
from overread.records import Passage

STEP = 7


def chunkings(text: str, step: int = 1) -> Iterator[list[str]]:
    """A text in every two chunks, the first a multiple of ``step`` long, and in single characters."""
    yield list(text)
    for cut in range(0, len(text) + 1, step):
        yield [text[:cut], text[cut:]]


def compare(rows: Sequence[Marked], detector: TextDetector) -> tuple[int, int]:
    """How many chunkings were tried, and how many gave another result than the text as a whole."""
    tried = different = 0
    pairs = [" ".join(row.text for row in rows[n : n + 2]) for n in range(0, len(rows) - 1, 2)]
    for text, step in [(row.text, 1) for row in rows] + [(pair, STEP) for pair in pairs]:
        whole = _gate(text, detector).offline(text)
        for chunks in chunkings(text, step):
            tried += 1
            different += _streamed(_gate(text, detector), chunks) != whole
    return tried, different


def _streamed(gate: Gate, chunks: Sequence[str]) -> list[Released]:
    return [*(released for chunk in chunks for released in gate.feed(chunk)), *gate.finish()]


def _gate(text: str, detector: TextDetector) -> Gate:
    """A gate for one text, which some of the passages it may cite quote, and whose first two words are a header's."""
    identity, ledger = Identity(), Ledger()
    identity.add(" ".join(text.split()[:2]), "name")
    ledger.add_passage(Passage(id="S1", title="t", source="s", text=text[:200], score=1))
    return Gate(identity, ledger, detector)


def figures(folder: Path, most: int | None = None) -> list[Figure]:
    """The number of differences, of how many chunkings."""
    tried, different = compare(read_asq(folder / "asq_phi_dev.jsonl")[:most], TextDetector())
    return [Figure("streams unlike the whole text", different, tried, aim=at_most(0))]


if __name__ == "__main__":
    raise SystemExit(print_figures(__doc__, figures))
