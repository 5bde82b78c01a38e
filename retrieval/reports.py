"""Similar reports: of a department's past reports, those whose findings are most like some given ones.

They show how such reports are worded, and say nothing of the patient at hand. Texts are kept in memory only, and
leave this module without comparisons and through the redaction that the caller gives.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overread.records import Record
from retrieval.report_files import RawReport, read_reports
from retrieval.report_text import label_of, labels_in, names_of, without_comparisons
from retrieval.terms import content, terms

LABEL_WEIGHT = 0.8
"""How much the labels count against the words. Set by judgement: what a report shows matters more than its wording."""

Redact = Callable[[str], str]
"""Takes identity out of a text. Whatever it raises goes on to the caller: a text that failed is not given."""


class SimilarReport(Record):
    """A past report as it may be shown: no comparison in it, identity redacted. ``score`` is in [0, 1]."""

    findings: str
    impression: str
    labels: tuple[str, ...]
    score: float

    @property
    def text(self) -> str:
        """Findings and impression under their headings."""
        parts = (("Findings", self.findings), ("Impression", self.impression))
        return "\n".join(f"{name}: {part}" for name, part in parts if part)


@dataclass(frozen=True)
class _Kept:
    findings: str
    impression: str
    labels: frozenset[str]

    @property
    def text(self) -> str:
        return f"{self.findings} {self.impression}".strip()


class PastReports:
    """Past reports, searchable by findings. Read-only and safe to share between threads."""

    def __init__(self, reports: Iterable[RawReport], redact: Redact) -> None:
        """Use ``open`` for files. ``redact`` is called on each text that is given out, and on no other."""
        self._redact = redact
        self._kept = list(dict.fromkeys(kept for kept in map(_keep, reports) if kept.text))
        self._words = [content(terms(kept.text)) for kept in self._kept]
        self._bm25 = _bm25(self._words)

    @classmethod
    def open(cls, path: Path, redact: Redact) -> "PastReports":
        """The reports in a folder, a tar archive or a file. Raises ``ReportError`` when they cannot be read."""
        return cls(read_reports(path), redact)

    def __len__(self) -> int:
        return len(self._kept)

    def texts(self) -> list[str]:
        """The texts that are searched, without comparisons but not redacted: for measuring, and for nothing else."""
        return [kept.text for kept in self._kept]

    def similar(
        self, present: Sequence[str], absent: Sequence[str] = (), text: str = "", k: int = 3
    ) -> list[SimilarReport]:
        """The ``k`` reports most like a study with these findings, best first, no two of the same words.

        ``present`` and ``absent`` are labels of findings; ``text`` is what else is known in words. With nothing present
        and nothing absent, reports without findings come first.
        """
        scores = self.scores(present, absent, text)
        best = np.argsort(-scores, kind="stable")[: max(0, k)]
        return [self._shown(self._kept[row], float(scores[row])) for row in best]

    def scores(self, present: Sequence[str], absent: Sequence[str] = (), text: str = "") -> NDArray[np.float64]:
        """How like each report is: float64 ``(len(self),)`` in [0, 1]."""
        wanted = frozenset(map(label_of, present))
        by_label = np.array([_agreement(wanted, kept.labels) for kept in self._kept], dtype=np.float64)
        named = [name for label in (*wanted, *map(label_of, absent)) for name in names_of(label)[:2]]
        by_words = self._lexical(content(terms(" ".join([*named, text]))))
        return LABEL_WEIGHT * by_label + (1 - LABEL_WEIGHT) * by_words

    def _lexical(self, words: Sequence[str]) -> NDArray[np.float64]:
        """BM25 of every report, divided by the highest."""
        known = [word for word in words if self._bm25 is not None and word in self._bm25.vocab_dict]
        if not known:
            return np.zeros(len(self), dtype=np.float64)
        scores = np.asarray(self._bm25.get_scores(known), dtype=np.float64)
        return scores / max(float(scores.max()), 1e-9)

    def _shown(self, kept: _Kept, score: float) -> SimilarReport:
        findings, impression = (self._redact(part) if part else "" for part in (kept.findings, kept.impression))
        return SimilarReport(findings=findings, impression=impression, labels=tuple(sorted(kept.labels)), score=score)


def _keep(report: RawReport) -> _Kept:
    """A report without comparisons. Its labels are those of what is left, so that it is found by what it shows."""
    findings, impression = without_comparisons(report.findings), without_comparisons(report.impression)
    return _Kept(findings, impression, labels_in(f"{findings}\n{impression}"))


def _agreement(wanted: frozenset[str], there: frozenset[str]) -> float:
    """Dice's coefficient of two sets of labels; 1 where both are empty."""
    if not wanted and not there:
        return 1.0
    return 2 * len(wanted & there) / (len(wanted) + len(there))


def _bm25(words: Sequence[Sequence[str]]) -> Any:
    """The word index in memory, or ``None`` where there are no words. Nothing of it is written to disk."""
    import bm25s

    if not any(words):
        return None
    index = bm25s.BM25(k1=1.2, b=0.75)
    index.index([list(one) or [""] for one in words], show_progress=False)
    return index
