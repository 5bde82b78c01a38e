"""How long after its end a released sentence leaves the gate, and how many characters later.

Run ``python -m evaluation.gate_latency``. True sentences of the planted-error set, each behind and before connective
texts, are fed one character at a time as fast as the gate takes them. A sentence's time begins when its last character
goes in and ends when it is given out: all the work of the gate in between, also that for the characters of the
hold-back. Times are of the processor, all threads together, on one core.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from evaluation.figure import Figure, as_lines, at_most
from evaluation.planted_errors import Half, rows_of
from guardrails.gate import HOLD_BACK, Gate
from guardrails.ledger import Ledger
from guardrails.phi.identity import Identity
from guardrails.phi.text import TextDetector
from guardrails.sentences import split_sentences

BEFORE = "This is what the sources say. "
BEHIND = "Research use; not a medical device. " * 4
IDENTITY = (("Doe^Jane^Q", "name"), ("19370412", "date"), ("MRN-0012345", "id"), ("Elm Street Clinic", "facility"))
"""What a header would have told, so that the exact match has something to look for."""
AIMS = {"without the tagger": at_most(10), "with the tagger": at_most(40)}
DRAWS = 400


@dataclass(frozen=True)
class Left:
    """A sentence that was released: its verdict, seconds since its end, and characters that went in since then.

    ``behind`` is ``None`` where the text ended first.
    """

    verdict: str
    seconds: float
    behind: int | None


def detectors() -> dict[str, TextDetector]:
    """A detector without the tagger of names, and one with it."""
    return {"without the tagger": TextDetector(tagged=False), "with the tagger": TextDetector(tagged=True)}


def answers(half: Half = "reporting", most: int | None = None) -> list[tuple[str, Ledger]]:
    """Texts of three kinds of sentence, each with what it may cite."""
    true = (row for row in rows_of(half) if row.kind is None)
    return [(f"{BEFORE}{row.text} {BEHIND}", row.ledger) for row in islice(true, most)]


def leaving(gate: Gate, text: str, size: int = 1) -> Iterator[Left]:
    """Feed a text in chunks of ``size`` characters and tell of each sentence that is released when it left."""
    ends = _ends(text)
    begun: list[float] = []
    told = 0
    for at in range(0, len(text), size):
        chunk = text[at : at + size]
        begun += [time.process_time()] * len(chunk)
        for released in gate.feed(chunk):
            if released.text and released.claim is not None:
                spent = time.process_time() - begun[ends[told] - 1]
                yield Left(released.claim.verdict, spent, len(begun) - ends[told])
            told += 1
    for released in gate.finish():
        if released.text and released.claim is not None:
            yield Left(released.claim.verdict, time.process_time() - begun[ends[told] - 1], None)
        told += 1
    if told != len(ends):
        raise RuntimeError("the gate gave another number of sentences than there are; the times belong to none of them")


def figures(most: int | None = None, size: int = 1) -> list[Figure]:
    """Milliseconds at the median and at the 95th percentile for each detector, and what connective texts wait for."""
    texts = answers(most=most)
    identity = Identity()
    for value, kind in IDENTITY:
        identity.add(value, kind)
    found = []
    for name, detector in detectors().items():
        list(leaving(Gate(identity, texts[0][1], detector), texts[0][0], size))
        left = [one for text, ledger in texts for one in leaving(Gate(identity, ledger, detector), text, size)]
        times = np.array([one.seconds for one in left]) * 1000
        found.append(_percentile(f"gate, ms p95 {name}", times, 95, AIMS[name]))
        found.append(_percentile(f"gate, ms p50 {name}", times, 50))
    connective = [one.behind for one in left if one.verdict == "not_checkable" and one.behind is not None]
    name = "characters behind a connective text, most"
    return [*found, Figure(name, max(connective), len(connective), aim=at_most(HOLD_BACK + size + 1))]


def _percentile(name: str, times: np.ndarray, percent: int, aim: Any = None) -> Figure:
    generator = np.random.default_rng(0)
    drawn = np.percentile(times[generator.integers(0, len(times), (DRAWS, len(times)))], percent, axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    interval = (round(float(low), 2), round(float(high), 2))
    return Figure(name, round(float(np.percentile(times, percent)), 2), len(times), interval, aim, unit="ms")


def _ends(text: str) -> Sequence[int]:
    """Where each sentence ends, without the white space behind it; those of white space alone are none."""
    ends, at = [], 0
    for sentence in split_sentences(text):
        if sentence.strip():
            ends.append(at + len(sentence.rstrip()))
        at += len(sentence)
    return ends


def main() -> int:
    """Print one JSON object a figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--most", type=int, help="at most so many answers")
    parser.add_argument("--size", type=int, default=1, help="characters that go in together")
    chosen = parser.parse_args()
    sys.stdout.write(as_lines(figures(chosen.most, chosen.size)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
