"""The figures of retrieval as a table to read."""

from collections.abc import Iterator

from evaluation.retrieval_bench import Figure, Report


def table(report: Report) -> str:
    """Three tables: ranking, unanswerable questions, speed."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"{'set':<24}{'method':<20}{'nDCG@10':<24}{'MRR':<24}{'R@10':<24}{'above BM25 (nDCG@10)':<30}p"
    last = ""
    for row in report.rows:
        name = f"{row.set} ({row.questions}, {row.documents})" if row.set != last else ""
        if name:
            yield name
        last = row.set
        figures = "".join(f"{_interval(figure):<24}" for figure in row.figures.values())
        yield f"{'':<24}{row.method:<20}{figures}{_interval(row.gain):<30}{row.p:.4f}"
    yield ""
    yield f"{'set':<24}{'unanswerable':<20}{'n':>5}  {'AUROC':<24}{'words alone':<24}{'BM25 alone':<24}kept  refused"
    for one in report.refusals:
        aurocs = "".join(f"{_interval(f):<24}" for f in (one.auroc, one.auroc_by_words, one.auroc_of_bm25))
        yield f"{one.set:<24}{one.against:<20}{one.questions:>5}  {aurocs}{one.kept:.3f} {one.refused:.3f}"
    yield ""
    for c in report.calibrations:
        yield f"{c.set:<24}ECE {c.ece:.3f}, mean probability {c.mean_probability:.3f}, right {c.right:.3f}"
    yield ""
    for latency in report.latencies:
        yield f"{latency.what:<28}p50 {latency.p50:.2f} ms, p95 {latency.p95:.2f} ms"


def _interval(figure: Figure) -> str:
    return f"{figure.mean:.3f} [{figure.low:.3f}, {figure.high:.3f}]"
