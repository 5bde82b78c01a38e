"""How well and how fast a stored library answers: MedQuAD, added as its user would, asked through ``StoredBase``.

Run ``python -m evaluation.library_quality DATA LIBRARY`` after ``overread index add DATA/medquad_xml.zip``; DATA is
``shared/data/retrieval``. Questions are those of the reporting half that the ranking was not fitted on. An answer is
right when it was written for the question's subject and type.
"""

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.retrieval_bench import resampled
from evaluation.retrieval_sets import Asked, medquad, read_medquad
from retrieval.storage.base import Found, StoredBase

DEEP = 40
"""Passages that are asked for, so that ten answers are among them."""

FIRST = 10
_WARM = 20

Answer = tuple[str, str]
"""A document's title and the heading that an answer stands under."""


def measure(data: Path, library: Path) -> list[str]:
    """Lines to print: nDCG@10 and MRR of three ways of asking, and what a query takes. Raises ``BaseError``."""
    archive = data / "medquad_xml.zip"
    base = StoredBase.open(library)
    sets = medquad(archive)
    right = _answers(archive, sets[0].titles, sets[0].texts)
    lines = [f"{base.passages} passages, {base.vectors} of them encoded"]
    for chosen in sets:
        asked = [question for question in chosen.questions if question.part == "reporting"]
        relevant = [right_for(question, right) for question in asked]
        for name, ask in _ways(base, named=chosen.name.endswith("synonyms")):
            found = [_order(ask(question.text)) for question in asked]
            lines.append(f"{chosen.name}, {name}: {_quality(asked, found, relevant)}")
    lines += _latency(base, [question.text for question in sets[1].questions if question.part == "reporting"])
    return lines


def right_for(question: Asked, right: dict[int, set[Answer]]) -> set[Answer]:
    """Where the answers to a question stand in the library."""
    return set().union(*(right[place] for place in question.relevant))


def _answers(archive: Path, titles: Sequence[str], texts: Sequence[str]) -> dict[int, set[Answer]]:
    """Where each answer of the sets stands in a library: the title and the heading, made alike."""
    places = {document: place for place, document in enumerate(zip(titles, texts, strict=True))}
    right: dict[int, set[Answer]] = defaultdict(set)
    for answer in read_medquad(archive):
        heading = answer.question.replace("is (are)", "is").rstrip(" ?")
        right[places[answer.focus, answer.text]].add(_place(answer.focus, heading))
    return right


def _ways(base: StoredBase, named: bool) -> list[tuple[str, Callable[[str], list[Found]]]]:
    ways = [
        ("hybrid", lambda text: base.search(text, k=DEEP)),
        ("by words", lambda text: base.search(text, k=DEEP, dense=False)),
    ]
    if named:
        bare = StoredBase(base.folder)
        # As a library whose sources list no other names.
        setattr(bare.texts, "other_names", lambda runs: {})  # noqa: ARG005, B010
        ways.append(("hybrid, other names not known", lambda text: bare.search(text, k=DEEP)))
    return ways


def _order(found: Sequence[Found]) -> list[Answer]:
    answers = [_place(one.stored.document.title, one.stored.section.rstrip(" ?")) for one in found]
    return list(dict.fromkeys(answers))


def _place(title: str, heading: str) -> Answer:
    return " ".join(title.lower().split()), " ".join(heading.lower().split())


def _quality(asked: Sequence[Asked], found: Sequence[Sequence[Answer]], relevant: Sequence[set[Answer]]) -> str:
    gains = 1 / np.log2(np.arange(2, FIRST + 2))
    ndcg, mrr = [], []
    for order, good in zip(found, relevant, strict=True):
        hits = np.array([answer in good for answer in order[:FIRST]], dtype=float)
        ndcg.append(float(hits @ gains[: len(hits)]) / float(gains[: min(FIRST, len(good))].sum()))
        mrr.append(next((1 / rank for rank, answer in enumerate(order, start=1) if answer in good), 0.0))
    weights = resampled([question.subject for question in asked])
    return f"nDCG@10 {_mean(ndcg, weights)}, MRR {_mean(mrr, weights)}, n {len(asked)}"


def _mean(values: Sequence[float], weights: NDArray[np.float64]) -> str:
    array = np.array(values)
    low, high = np.percentile((weights @ array) / weights.sum(axis=1), [2.5, 97.5])
    return f"{array.mean():.3f} [{low:.3f}, {high:.3f}]"


def _latency(base: StoredBase, questions: Sequence[str]) -> list[str]:
    lines = []
    for name, dense in (("hybrid with the encoder", True), ("by words alone", False)):
        for question in questions[:_WARM]:
            base.search(question, dense=dense)
        wall, busy = [], []
        for question in questions[_WARM:]:
            began, worked = time.perf_counter(), time.thread_time()
            base.search(question, dense=dense)
            wall.append(1000 * (time.perf_counter() - began))
            busy.append(1000 * (time.thread_time() - worked))
        p50, p95 = np.percentile(wall, [50, 95])
        cpu50, cpu95 = np.percentile(busy, [50, 95])
        lines.append(
            f"{name}: p50 {p50:.2f} ms, p95 {p95:.2f} ms; of this thread's processor time {cpu50:.2f}, {cpu95:.2f}"
        )
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line names, and print it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("data", type=Path, help="shared/data/retrieval")
    parser.add_argument("library", type=Path, help="the library that MedQuAD was added to")
    options = parser.parse_args(arguments)
    print("\n".join(measure(options.data, options.library)))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
