"""``overread bench``: measures this machine, or a room, against a baseline of the same run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from evaluation.speed import Timing

EXAMPLES = """
Examples:

  overread bench speed

  overread bench speed --image chest.jpg --repeats 5 --json

  overread bench segment

  overread bench tools

  overread bench guardrails --data shared/data

  overread bench guardrails --only latency --json

  overread bench retrieval --data shared/data/retrieval

  overread bench serve

  overread bench serve --url http://127.0.0.1:8000 --json
"""

app = typer.Typer(help="Measure speed on this machine, and the guardrails.", rich_markup_mode=None, epilog=EXAMPLES)


@app.callback()
def bench() -> None:
    """Measurements, each beside a baseline of the same run."""


@app.command("speed")
def speed(
    image: Annotated[Path | None, typer.Option(metavar="FILE", help="An image; else a drawn one.")] = None,
    repeats: Annotated[int, typer.Option(min=1, max=50, help="How often each is measured; the median is shown.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """How long the commands take, cold and warm."""
    from evaluation.speed import measure
    from serve.arguments import check_images
    from serve.cli.output import own_stdout

    if image is not None:
        check_images([image])

    with own_stdout() as out:
        timings = measure(repeats, image)
        out.write(_json(timings) if as_json else _table(timings))


@app.command("segment")
def segment(
    repeats: Annotated[int, typer.Option(min=1, max=50, help="How often each is measured; the median is shown.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """How long the starter SAM takes to look and to answer, beside segment-anything's own predictor."""
    from evaluation.segment_speed import measure_segmenting
    from serve.cli.output import own_stdout

    with own_stdout() as out:
        timings = measure_segmenting(repeats)
        out.write(_json(timings) if as_json else _table(timings))


@app.command("tools")
def tools(
    repeats: Annotated[int, typer.Option(min=1, max=50, help="How often each is measured; the median is shown.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """How long an image's domain and findings take, beside a plain OpenCLIP loop, and the memory of one run."""
    from evaluation.tool_speed import MEMORY_BAR_MIB, measure_tools, memory_of_ask
    from serve.cli.output import own_stdout

    with own_stdout() as out:
        timings = measure_tools(repeats)
        if as_json:
            out.write(_json(timings))
        else:
            out.write(_table(timings))
            out.write(f"memory of one overread ask: {memory_of_ask():.0f} MiB at the most (bar {MEMORY_BAR_MIB:.0f})\n")


@app.command("guardrails")
def guardrails(
    data: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The folder of shared data; else shared/data here or beside.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Measure this part alone; may be given several times.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A few cases of each part; no figures, and nothing is installed.")
    ] = False,
    peers: Annotated[
        bool, typer.Option("--peers", help="Also NeMo Guardrails and guardrails-ai, installed beside if they are not.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """All figures of the guardrails in one table: what was measured, of how many, and whether the aim is met.

    Other guardrails are shown beside the gate when asked: --peers, or --only peers.
    """
    from evaluation.guardrails_table import PARTS, WHEN_ASKED, measured, missing
    from serve.cli.bench_table import as_json_text, show_table, told
    from serve.cli.output import own_stdout
    from serve.errors import ArgumentsError

    unknown = [name for name in only or () if name not in PARTS]
    if unknown:
        raise ArgumentsError(f"no part is called {unknown[0]}; --only takes one of: {', '.join(PARTS)}")
    folder = data if data is not None else _shared_data()
    wanted = {*(only or PARTS.keys() - WHEN_ASKED), *(["peers"] if peers else [])}
    names = [name for name in PARTS if name in wanted]
    absent = missing(folder, names)
    if absent:
        raise ArgumentsError(f"the folder of data does not hold {absent[0]}; name it with --data")
    with own_stdout() as out:
        found = dict(told(measured(folder, names, quick), names))
        if as_json:
            out.write(as_json_text(found))
        else:
            show_table(out, found, quick)


def _shared_data() -> Path:
    import os

    named = os.environ.get("OVERREAD_SHARED")
    places = [Path(named)] if named else [Path("shared"), Path("..") / "shared"]
    return next((place / "data" for place in places if (place / "data").is_dir()), places[0] / "data")


@app.command("retrieval")
def retrieval(
    data: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Holds pubmedqa_ori_pqal.json and medquad_xml.zip.")
    ] = Path("shared/data/retrieval"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="A sixteenth of MedQuAD's subjects, not a quarter.")] = False,
    full: Annotated[bool, typer.Option("--full", help="All of MedQuAD; encodes for half an hour at first.")] = False,
) -> None:
    """How well the right documents are found: BM25, dense, fused and reranked, side by side."""
    import json
    from dataclasses import asdict

    from evaluation.retrieval_bench import measure_retrieval
    from evaluation.retrieval_table import table
    from overread.settings import settings
    from serve.cli.output import own_stdout

    missing = [name for name in ("pubmedqa_ori_pqal.json", "medquad_xml.zip") if not (data / name).is_file()]
    if missing:
        raise typer.BadParameter(f"the folder has no {missing[0]}", param_hint="--data")
    if quick and full:
        raise typer.BadParameter("choose one of --quick and --full", param_hint="--full")

    def progress(done: int, of: int) -> None:
        typer.echo(f"encoding passages: {done} of {of}", err=True)

    with own_stdout() as out:
        cache = settings().cache / "bench-retrieval"
        report = measure_retrieval(data, cache, quick=quick, full=full, progress=progress)
        out.write(json.dumps(asdict(report)) + "\n" if as_json else table(report))


@app.command("serve")
def serving(
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="A server that runs already; its key in OVERREAD_API_KEY.")
    ] = None,
    streams: Annotated[int, typer.Option(min=1, max=512, help="Answers streamed at once.")] = 64,
    each: Annotated[int, typer.Option(min=1, max=1000, help="Questions of each stream, one after the other.")] = 4,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """How a server answers many at once, and the guardrails' share of the time; starts one unless --url names it."""
    import json
    import os

    from evaluation.serve_load import LoadError, measure_serving
    from serve.cli.bench_table import show_table
    from serve.cli.output import own_stdout
    from serve.errors import ArgumentsError

    try:
        with own_stdout() as out:
            found = measure_serving(url, streams, each)
            if as_json:
                rows = [{"part": part, **figure.as_json()} for part, figures in found.items() for figure in figures]
                out.write(json.dumps(rows) + "\n")
            else:
                load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
                caption = (
                    f"{os.cpu_count()} cores; load average {load}; text questions, client and server on one machine"
                )
                show_table(out, found, quick=False, first="part", caption=caption)
    except LoadError as error:
        raise ArgumentsError(str(error)) from None


def _json(timings: "list[Timing]") -> str:
    import json
    from dataclasses import asdict

    return json.dumps([{**asdict(timing), "ratio": round(timing.ratio, 3)} for timing in timings]) + "\n"


def _table(timings: "list[Timing]") -> str:
    lines = [f"{'what':<34}{'seconds':>9}{'bar':>7}{'ratio':>8}  baseline"]
    for timing in timings:
        bar = f"{timing.bar_s:g}" if timing.bar_s is not None else ""
        lines.append(
            f"{timing.name:<34}{timing.seconds:>9.3f}{bar:>7}{timing.ratio:>8.2f}  {timing.baseline}"
            f" ({timing.baseline_s:.3f} s)"
        )
    return "\n".join(lines) + "\n"
