"""Whether the sentences quoted are those that answer: all of MedQuAD's answers on a subject, as one page.

A question of one type is asked of the page; a quoted sentence is right when it stands in the answer to that type. Run
``python -m evaluation.evidence_quality DATA CACHE``; DATA is ``shared/data/retrieval``.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.retrieval_bench import resampled
from evaluation.retrieval_runs import encode_questions
from evaluation.retrieval_sets import Asked, RetrievalSet, medquad
from retrieval.evidence import Span, evidence

_SENTENCE = re.compile(r"\S(?:[^.?!]|[.?!](?!\s+[A-Z]))*[.?!]?")
_MOST = 3

Choose = Callable[[str, str, Sequence[Span], str, NDArray[np.float32]], Sequence[Span]]


def by_kind(query: str, page: str, spans: Sequence[Span], title: str, vector: NDArray[np.float32]) -> Sequence[Span]:
    """As a passage is quoted with the encoder."""
    found = evidence(query, page, spans, _same, title=title, vector=vector, most=_MOST)
    return [(quoted.start, quoted.end) for quoted in found]


def by_words(query: str, page: str, spans: Sequence[Span], title: str, vector: NDArray[np.float32]) -> Sequence[Span]:  # noqa: ARG001
    """As a passage is quoted without it."""
    found = evidence(query, page, spans, _same, title=title, most=_MOST)
    return [(quoted.start, quoted.end) for quoted in found]


def first(query: str, page: str, spans: Sequence[Span], title: str, vector: NDArray[np.float32]) -> Sequence[Span]:  # noqa: ARG001
    """The first sentences: a baseline."""
    return spans[:_MOST]


def middle(query: str, page: str, spans: Sequence[Span], title: str, vector: NDArray[np.float32]) -> Sequence[Span]:  # noqa: ARG001
    """All sentences: what chance would find."""
    return spans


def measure(chosen: RetrievalSet, folder: Path, choose: Choose) -> tuple[float, float, float, int]:
    """The mean share of right sentences among those quoted, its 95 % interval by subject, and the questions."""
    asked = [q for q in chosen.questions if q.part == "reporting" and q.related > q.relevant]
    vectors = encode_questions([question.text for question in asked], folder)
    shares = np.array([_share(chosen, question, choose, vectors[question.text]) for question in asked])
    weights = resampled([question.subject for question in asked])
    low, high = np.percentile((weights @ shares) / weights.sum(axis=1), [2.5, 97.5])
    return round(float(shares.mean()), 4), round(float(low), 4), round(float(high), 4), len(asked)


def _share(chosen: RetrievalSet, question: Asked, choose: Choose, vector: NDArray[np.float32]) -> float:
    page, right = "", list[Span]()
    for place in sorted(question.related, key=lambda place: chosen.texts[place]):
        start = len(page)
        page += chosen.texts[place] + " \n"
        if place in question.relevant:
            right.append((start, len(page)))
    spans = [match.span() for match in _SENTENCE.finditer(page)]
    title = chosen.titles[min(question.relevant)]
    found = choose(question.text, page, spans, title, vector)
    good = [any(a <= start and end <= b for a, b in right) for start, end in found]
    return float(np.mean(good)) if good else 0.0


def _same(word: str) -> float:  # noqa: ARG001
    return 1.0


def main() -> int:
    """Print one JSON object a way of choosing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    chosen = parser.parse_args()
    lay = medquad(chosen.data / "medquad_xml.zip", 4)[1]
    for choose in (by_kind, by_words, first, middle):
        mean, low, high, n = measure(lay, chosen.cache, choose)
        line = {"quoted": choose.__name__, "right": mean, "low": low, "high": high, "questions": n}
        sys.stdout.write(json.dumps(line) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
