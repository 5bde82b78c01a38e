"""How alike similar reports are, on Open-i: labels that people gave, against reports drawn at random.

    python -m evaluation.similar_reports openi_reports.tgz

The labels are the collection's MeSH headings, which the search never reads. Every second report asks, by its headings
mapped to the labels of tools; the other half is searched. The 95 % intervals are bootstrapped over the asking reports.
"""

import sys
import tarfile
from pathlib import Path

import numpy as np

from retrieval.report_files import RawReport
from retrieval.report_text import compares, sentences, without_comparisons
from retrieval.reports import PastReports
from retrieval.sources.bounds import parse_xml

HEADINGS = {
    "Cardiomegaly": "cardiomegaly", "Pleural Effusion": "pleural effusion", "Pulmonary Atelectasis": "atelectasis",
    "Pneumonia": "pneumonia", "Pneumothorax": "pneumothorax", "Pulmonary Edema": "pulmonary oedema",
    "Consolidation": "consolidation", "Infiltrate": "infiltration", "Nodule": "nodule", "Mass": "mass",
    "Emphysema": "emphysema", "Pulmonary Emphysema": "emphysema", "Hernia, Hiatal": "hernia",
    "Granuloma": "granuloma", "Calcified Granuloma": "granuloma", "Fractures, Bone": "fracture", "Opacity": "opacity",
    "Pulmonary Fibrosis": "fibrosis", "Cicatrix": "fibrosis", "Scoliosis": "scoliosis",
    "Thickening": "pleural thickening",
}  # fmt: skip
K = (1, 3, 5)


def main(path: Path) -> None:
    """Print precision at k of the search and of chance, and what comparisons are left in the asking half."""
    pairs = _read(path)
    asking, searched = pairs[::2], pairs[1::2]
    past = PastReports([report for report, _ in searched], str)
    truth = _truth_of(past, searched)
    questions = [labels for _, labels in asking if labels]
    rng = np.random.default_rng(0)
    found = {k: np.zeros(len(questions)) for k in K}
    chance = np.zeros(len(questions))
    for n, labels in enumerate(questions):
        order = np.argsort(-past.scores(sorted(labels)), kind="stable")
        alike = np.array([_dice(labels, truth[row]) for row in order[: max(K)]])
        for k in K:
            found[k][n] = alike[:k].mean()
        chance[n] = np.mean([_dice(labels, truth[row]) for row in rng.integers(0, len(past), 50)])
    sys.stdout.write(f"{len(questions)} reports with a mapped heading ask, {len(past)} are searched\n")
    for k in K:
        sys.stdout.write(
            f"agreement of labels (Dice) at {k}: {_interval(found[k], rng)}; at random {_interval(chance, rng)}\n"
        )
    rest = [one for report, _ in asking for part in (report.findings, report.impression) for one in _left(part)]
    before = sum(compares(one) for report, _ in asking for one in sentences(f"{report.findings}\n{report.impression}"))
    sys.stdout.write(f"comparisons in the asking half: {before} before, {len(rest)} after\n")


def _left(text: str) -> list[str]:
    return [one for one in sentences(without_comparisons(text)) if compares(one)]


def _read(path: Path) -> list[tuple[RawReport, frozenset[str]]]:
    pairs = []
    with tarfile.open(path) as archive:
        for member in sorted(archive.getmembers(), key=lambda one: one.name):
            file = archive.extractfile(member) if member.isreg() and member.name.endswith(".xml") else None
            if file is None:
                continue
            root = parse_xml(file.read())
            parts = {str(one.get("Label")): one.text or "" for one in root.iter("AbstractText")}
            headings = {(one.text or "").split("/")[0].strip() for one in root.iter("major")}
            report = RawReport(findings=parts.get("FINDINGS", ""), impression=parts.get("IMPRESSION", ""))
            pairs.append((report, frozenset(HEADINGS[one] for one in headings & HEADINGS.keys())))
    return pairs


def _truth_of(past: PastReports, searched: list[tuple[RawReport, frozenset[str]]]) -> list[frozenset[str]]:
    """The labels of each kept report, in the order it is searched. Of reports with the same words, the first one's."""
    by_text: dict[str, frozenset[str]] = {}
    for report, labels in searched:
        text = f"{without_comparisons(report.findings)} {without_comparisons(report.impression)}".strip()
        by_text.setdefault(text, labels)
    return [by_text[text] for text in past.texts()]


def _dice(a: frozenset[str], b: frozenset[str]) -> float:
    return 2 * len(a & b) / (len(a) + len(b))


def _interval(values: "np.ndarray[tuple[int], np.dtype[np.float64]]", rng: np.random.Generator) -> str:
    means = values[rng.integers(0, len(values), (1000, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{values.mean():.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
