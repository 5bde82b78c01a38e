"""How fast the pattern stage is beside Presidio's analyzer with all the pattern recognizers it loads for English.

Run ``python -m evaluation.pattern_speed FOLDER`` where FOLDER is ``shared/data/phi``. Both look at the same texts in
one run, a block of texts in turn, so that what else the machine does slows both. Times are of the processor.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from evaluation.figure import Figure, at_least, print_figures
from evaluation.identity_texts import read_asq, read_presidio
from guardrails.phi.patterns import ClinicalPatterns

BLOCK = 50
AIM = at_least(10)
Look = Callable[[str], object]


def presidio() -> tuple[Look, int]:
    """Presidio over a blank pipeline with its predefined recognizers but spaCy's, and how many there are.

    The list of public suffixes that it would fetch is the one that comes with tldextract.
    """
    import tldextract
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry

    from guardrails.phi.presidio import BlankNlpEngine

    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=())
    registry = RecognizerRegistry(supported_languages=["en"])
    registry.load_predefined_recognizers(languages=["en"])
    registry.remove_recognizer("SpacyRecognizer")
    engine = AnalyzerEngine(registry=registry, nlp_engine=BlankNlpEngine(), supported_languages=["en"])
    return (lambda text: engine.analyze(text, language="en")), len(registry.recognizers)


def block_times(looks: Sequence[Look], texts: Sequence[str], block: int = BLOCK) -> np.ndarray:
    """Seconds of the processor that each takes for each block of texts: float64 ``(blocks, len(looks))``."""
    for look in looks:
        look(texts[0])
    rows = []
    for begin in range(0, len(texts), block):
        row = []
        for look in looks:
            begun = time.process_time()
            for text in texts[begin : begin + block]:
                look(text)
            row.append(time.process_time() - begun)
        rows.append(row)
    return np.array(rows)


def figures(folder: Path, most: int | None = None) -> list[Figure]:
    """Characters a second of both, and how many times Presidio's the pattern stage's are, by set and together."""
    theirs, recognizers = presidio()
    sets = {
        "ASQ-PHI": [row.text for row in read_asq(folder / "asq_phi_dev.jsonl")][:most],
        "presidio-research": [row.text for row in read_presidio(folder / "presidio_generated_large.json")][:most],
    }
    found, times, sizes = [], [], 0
    for name, texts in sets.items():
        seconds = block_times((ClinicalPatterns().spans, theirs), texts)
        size = sum(map(len, texts))
        found.append(_ratio(f"pattern stage, times Presidio ({name})", seconds, size))
        times.append(seconds)
        sizes += size
    together = np.vstack(times)
    ours, its = sizes / together.sum(axis=0)
    return [
        _ratio(f"pattern stage, times Presidio with {recognizers} recognizers", together, sizes, aim=True),
        *found,
        Figure("pattern stage", round(ours), sizes, unit="characters/s"),
        Figure("Presidio", round(its), sizes, unit="characters/s"),
    ]


def _ratio(name: str, seconds: np.ndarray, characters: int, aim: bool = False) -> Figure:
    generator = np.random.default_rng(0)
    drawn = seconds[generator.integers(0, len(seconds), (1000, len(seconds)))].sum(axis=1)
    low, high = np.quantile(drawn[:, 1] / drawn[:, 0], (0.025, 0.975))
    ours, theirs = seconds.sum(axis=0)
    interval = (round(float(low), 2), round(float(high), 2))
    return Figure(name, round(float(theirs / ours), 2), characters, interval, AIM if aim else None)


if __name__ == "__main__":
    raise SystemExit(print_figures(__doc__, figures))
