"""How well the text detector finds identity, and how fast: on shared/data, with Presidio beside it.

Run ``python -m evaluation.guardrails_bench FOLDER`` where FOLDER is ``shared/data/phi``; texts without anybody are read
from the folder beside it. An entity is covered when every letter and digit of it is inside a span. Intervals are of
95 %, from drawing whole groups of texts again. The patterns were written with all of ASQ-PHI in sight; the tagger
learned from none of it, and no choice about it was made on the half that is called ``reported``.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.identity_texts import Marked, harmless_sets, lowered, read_asq, read_presidio, renamed, reported
from guardrails.phi.patterns import ClinicalPatterns
from guardrails.phi.spans import Span
from guardrails.phi.text import TextDetector

Spans = Callable[[str], Iterable[Span]]
NOT_IDENTITY = frozenset({"TITLE", "PREFIX", "ORGANIZATION", "DOMAIN_NAME"})
"""Entity types of presidio-research that are no patient's identity, and are not counted as missed."""


def measure(rows: list[Marked], spans: Spans) -> dict[str, Any]:
    """Entities covered by type, clean texts touched, character precision and recall, and speed."""
    all_of: Counter[str] = Counter()
    covered: Counter[str] = Counter()
    per_text: list[tuple[int, ...]] = []
    begin = time.perf_counter()
    found = [list(spans(row.text)) for row in rows]
    seconds = time.perf_counter() - begin
    for row, row_spans in zip(rows, found, strict=True):
        inside = _characters(row.text, ((span.start, span.end) for span in row_spans))
        true = _characters(row.text, ((a, b) for a, b, kind in row.entities if kind not in NOT_IDENTITY))
        loose = _characters(row.text, ((a, b) for a, b, _ in row.entities))
        for a, b, kind in row.entities:
            all_of[kind] += 1
            covered[kind] += _characters(row.text, [(a, b)]) <= inside
        whole = [_characters(row.text, [(a, b)]) <= inside for a, b, kind in row.entities if kind not in NOT_IDENTITY]
        clean = not row.entities
        marks = len(inside & true), len(inside - (loose - true)), len(true)
        per_text.append((*marks, sum(whole), len(whole), clean and bool(row_spans), clean))
    counts = np.array(per_text, np.int64)
    shares = _shares(counts.sum(axis=0))
    drawn = _drawn_again(counts, [row.group or row.text for row in rows])
    figures: dict[str, Any] = {}
    for n, name in enumerate(SHARES):
        if not np.isnan(shares[n]):
            low, high = np.nanquantile(drawn[:, n], (0.025, 0.975))
            figures[name] = [round(float(value), 4) for value in (shares[n], low, high)]
    return {
        **figures,
        "texts": len(rows),
        "clean_touched": f"{counts[:, 5].sum()}/{counts[:, 6].sum()}",
        "chars_per_s": round(sum(len(row.text) for row in rows) / seconds),
        "by_type": {kind: f"{covered[kind]}/{n}" for kind, n in all_of.most_common()},
    }


SHARES = ("entities_covered", "char_precision", "char_recall", "char_f1", "clean_share_touched")
"""Figures with an interval: the value, its low and its high end."""


def _shares(sums: NDArray[np.int64]) -> NDArray[np.float64]:
    """The ``SHARES`` of summed counts; NaN where there is nothing to count."""
    hit, marked, identity, whole, entities, touched, clean = (float(value) for value in sums)
    none = float("nan")
    if not entities:
        return np.array([none, none, none, none, touched / clean if clean else none])
    precision, recall = hit / max(marked, 1), hit / max(identity, 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    return np.array([whole / entities, precision, recall, f1, touched / clean if clean else none])


def _drawn_again(counts: NDArray[np.int64], groups: list[str], rounds: int = 1000) -> NDArray[np.float64]:
    _, inverse = np.unique(groups, return_inverse=True)
    sums = np.zeros((int(inverse.max()) + 1, counts.shape[1]), np.int64)
    np.add.at(sums, inverse, counts)
    draw = np.random.default_rng(0)
    return np.array([_shares(sums[draw.integers(0, len(sums), len(sums))].sum(axis=0)) for _ in range(rounds)])


def presidio_patterns() -> Spans:
    """Presidio with the pattern recognizers it loads for English, over the same blank pipeline."""
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry

    from guardrails.phi.presidio import BlankNlpEngine

    registry = RecognizerRegistry(supported_languages=["en"])
    registry.load_predefined_recognizers(languages=["en"])
    for name in ("EmailRecognizer", "UrlRecognizer", "SpacyRecognizer"):
        registry.remove_recognizer(name)
    engine = AnalyzerEngine(registry=registry, nlp_engine=BlankNlpEngine(), supported_languages=["en"])

    def spans(text: str) -> list[Span]:
        return [Span(one.start, one.end, one.entity_type) for one in engine.analyze(text, language="en")]

    return spans


def _characters(text: str, stretches: Iterable[tuple[int, int]]) -> set[int]:
    return {i for a, b in stretches for i in range(a, b) if text[i].isalnum()}


def main() -> int:
    """Print one JSON object a detector and set."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--presidio", action="store_true", help="measure Presidio's own patterns beside ours")
    chosen = parser.parse_args()
    detectors: dict[str, Spans] = {
        "patterns": ClinicalPatterns().spans,
        "detector without tagger": TextDetector(tagged=False).spans,
        "detector": TextDetector(tagged=True).spans,
    }
    if chosen.presidio:
        detectors["presidio"] = presidio_patterns()
    asq = read_asq(chosen.folder / "asq_phi_dev.jsonl")
    research = read_presidio(chosen.folder / "presidio_generated_large.json")
    sets = {
        "asq_phi": asq,
        "asq_phi, reported": reported(asq),
        "asq_phi, reported, other names": renamed(reported(asq)),
        "asq_phi, reported, other names, lower case": lowered(renamed(reported(asq))),
        "presidio_research": research,
        "presidio_research, reported": reported(research),
        **harmless_sets(chosen.folder.parent),
    }
    for name, rows in sets.items():
        for detector, spans in detectors.items():
            spans(rows[0].text)
            sys.stdout.write(json.dumps({"set": name, "detector": detector, **measure(rows, spans)}) + "\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
