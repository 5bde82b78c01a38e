"""How well the text detector finds identity, and how fast: on shared/data/phi, with Presidio beside it.

Run ``python -m evaluation.guardrails_bench FOLDER`` where FOLDER holds ``asq_phi_dev.jsonl`` and
``presidio_generated_large.json``. An entity is covered when every letter and digit of it is inside a span.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardrails.phi.patterns import ClinicalPatterns
from guardrails.phi.spans import Span
from guardrails.phi.text import TextDetector

Spans = Callable[[str], Iterable[Span]]
NOT_IDENTITY = frozenset({"TITLE", "PREFIX", "ORGANIZATION", "DOMAIN_NAME"})
"""Entity types of presidio-research that are no patient's identity, and are not counted as missed."""


@dataclass(frozen=True)
class Marked:
    """A text and where identity stands in it: (start, end, type)."""

    text: str
    entities: tuple[tuple[int, int, str], ...]


def read_asq(path: Path) -> list[Marked]:
    """ASQ-PHI: queries with the values in them. A value stands at each of its occurrences, the first counted."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    marked = []
    for row in rows:
        found = ((row["text"].find(one["value"]), one) for one in row["phi"])
        entities = tuple((at, at + len(one["value"]), one["identifier_type"]) for at, one in found if at >= 0)
        marked.append(Marked(row["text"], entities))
    return marked


def read_presidio(path: Path) -> list[Marked]:
    """presidio-research's generated texts."""
    rows = json.loads(path.read_text("utf-8"))
    return [
        Marked(
            row["full_text"], tuple((s["start_position"], s["end_position"], s["entity_type"]) for s in row["spans"])
        )
        for row in rows
    ]


def measure(rows: list[Marked], spans: Spans) -> dict[str, Any]:
    """Entities covered by type, clean texts touched, character precision and recall, and speed."""
    all_of: Counter[str] = Counter()
    covered: Counter[str] = Counter()
    hit = marked = identity = clean = touched = 0
    begin = time.perf_counter()
    found = [list(spans(row.text)) for row in rows]
    seconds = time.perf_counter() - begin
    for row, row_spans in zip(rows, found, strict=True):
        inside = _characters(row.text, ((span.start, span.end) for span in row_spans))
        true = _characters(row.text, ((a, b) for a, b, kind in row.entities if kind not in NOT_IDENTITY))
        loose = _characters(row.text, ((a, b) for a, b, _ in row.entities))
        hit += len(inside & true)
        marked += len(inside - (loose - true))
        identity += len(true)
        clean += not row.entities
        touched += not row.entities and bool(row_spans)
        for a, b, kind in row.entities:
            all_of[kind] += 1
            covered[kind] += _characters(row.text, [(a, b)]) <= inside
    counted = [kind for kind in all_of if kind not in NOT_IDENTITY]
    precision, recall = hit / max(marked, 1), hit / max(identity, 1)
    return {
        "entities_covered": round(sum(covered[k] for k in counted) / max(sum(all_of[k] for k in counted), 1), 4),
        "clean_touched": f"{touched}/{clean}",
        "char_precision": round(precision, 4),
        "char_recall": round(recall, 4),
        "char_f1": round(2 * precision * recall / max(precision + recall, 1e-9), 4),
        "chars_per_s": round(sum(len(row.text) for row in rows) / seconds),
        "by_type": {kind: f"{covered[kind]}/{n}" for kind, n in all_of.most_common()},
    }


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
    detectors: dict[str, Spans] = {"patterns": ClinicalPatterns().spans, "detector": TextDetector().spans}
    if chosen.presidio:
        detectors["presidio"] = presidio_patterns()
    sets = {
        "asq_phi": read_asq(chosen.folder / "asq_phi_dev.jsonl"),
        "presidio_research": read_presidio(chosen.folder / "presidio_generated_large.json"),
    }
    for name, rows in sets.items():
        for detector, spans in detectors.items():
            spans(rows[0].text)
            sys.stdout.write(json.dumps({"set": name, "detector": detector, **measure(rows, spans)}) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
