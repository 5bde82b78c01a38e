"""``overread index``: your own library of documents. What is removed is in no later answer, and in no file of it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from retrieval.storage.base import Found
    from retrieval.storage.intake import Progress, Report

EXAMPLES = """
Examples:

  overread index add guidelines/ pubmed25n0001.xml.gz

  overread index search "How is sarcoidosis confirmed?" --since 2015

  overread index info --documents

  overread index remove 3f0c9a51d27b
"""

app = typer.Typer(
    help="Your own library: Markdown, text, HTML, PDF, DOCX, JSONL, MedQuAD, PubMed, JATS, MedlinePlus, Open-i.",
    rich_markup_mode=None,
    no_args_is_help=True,
    epilog=EXAMPLES,
)
Base = Annotated[Path | None, typer.Option(metavar="DIR", help="The library's folder; else OVERREAD_LIBRARY.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]
_STAGES = {"read": "reading", "words": "indexing words", "vectors": "encoding passages"}


@app.command("add", epilog=EXAMPLES)
def add(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files, folders and archives.")],
    base: Base = None,
    dense: Annotated[bool, typer.Option(help="Encode the passages too, so that they are found by meaning.")] = True,
    again: Annotated[bool, typer.Option("--again", help="Read also what has not changed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add documents. They are searchable by words first; Ctrl-C then is safe, and the same command goes on.

    Exit code 2 when a file that you named could not be read.
    """
    from retrieval.storage import indexing
    from serve.cli import EXIT_BAD_ARGUMENTS
    from serve.cli.output import own_stdout
    from serve.printing import error_line

    folder = _folder(base)
    with own_stdout() as out:
        with _progress() as progress:
            report = indexing.add(folder, paths, progress, again)
        for path, why in report.problems:
            error_line(f"{_shown(path, paths)} was not read whole: {why}")
        encoded = 0
        if dense:
            with _progress() as progress:
                encoded = indexing.fill(folder, progress)
        if as_json:
            out.write(json.dumps(_report(report, encoded, paths), ensure_ascii=False) + "\n")
        else:
            out.write(f"{_told(report)}; {encoded:,} passages encoded\n" if encoded else f"{_told(report)}\n")
    named = {str(path.absolute()) for path in paths}
    raise typer.Exit(EXIT_BAD_ARGUMENTS if any(path in named for path, _ in report.problems) else 0)


@app.command("search", epilog=EXAMPLES)
def search(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="A question, or words.")],
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many passages.")] = 8,
    base: Base = None,
    source: Annotated[str | None, typer.Option(metavar="S", help="A format, or a part of a source's name.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="YYYY[-MM[-DD]]; undated ones are left out.")
    ] = None,
    domain: Annotated[str | None, typer.Option(metavar="D", help="A domain documents are marked with.")] = None,
    dense: Annotated[bool, typer.Option(help="Compare by meaning too, where passages are encoded.")] = True,
    as_json: AsJson = False,
) -> None:
    """Find passages, best first, with the sentences to read. Retracted documents come last and are marked."""
    from retrieval.storage.base import StoredBase
    from serve.cli.output import own_stdout
    from serve.errors import ArgumentsError

    if not query.strip():
        raise ArgumentsError("the query is empty; ask a question, or give words to look for")
    with own_stdout() as out:
        opened = StoredBase.open(_folder(base))
        found = opened.search(query, k=k, dense=dense, source=source, since=since, domain=domain)
        if as_json:
            passages = [one.passage(f"S{n}").model_dump() for n, one in enumerate(found, start=1)]
            details = [_detail(f"S{n}", one) for n, one in enumerate(found, start=1)]
            out.write(json.dumps({"query": query, "passages": passages, "details": details}, ensure_ascii=False) + "\n")
        elif not found:
            out.write("nothing was found\n")
        else:
            out.write("\n".join(_lines(f"S{n}", one) for n, one in enumerate(found, start=1)))


@app.command("info")
def info(
    base: Base = None,
    documents: Annotated[bool, typer.Option("--documents", help="List every document with its id.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what the library holds and check every file of it against its checksum. Exit code 2 when it is damaged."""
    from retrieval.storage.base import StoredBase
    from serve.cli.output import own_stdout

    folder = _folder(base)
    opened = StoredBase.open(folder)
    about = opened.about()
    problems = opened.texts.problems()
    facts: dict[str, Any] = {
        "folder": str(folder),
        "generation": opened.folder.name,
        "made": about["made"],
        "checksum": opened.checksum,
        "documents": opened.texts.documents,
        "passages": opened.passages,
        "encoded": opened.vectors,
        "compares_meaning": opened.compares_meaning,
        "bytes": sum(path.stat().st_size for path in opened.folder.iterdir()),
        "formats": opened.texts.counts("format"),
        "statuses": opened.texts.counts("status"),
        "licences": opened.texts.counts("licence"),
        "unreadable": [{"file": path, "reason": why} for path, why in problems],
    }
    with own_stdout() as out:
        listed = opened.texts.all_facts() if documents else []
        if as_json:
            if documents:
                facts["list"] = [
                    {"id": one.id, "title": one.title, "source": one.source, "date": one.date, "status": one.status}
                    for one in listed
                ]
            out.write(json.dumps(facts, ensure_ascii=False) + "\n")
            return
        out.write(
            f"{folder}\n{facts['documents']:,} documents, {facts['passages']:,} passages, {facts['encoded']:,} of them "
            f"encoded, {facts['bytes'] / 1e6:,.1f} MB; generation {facts['generation']} of {facts['made']}, "
            "every checksum right\n"
        )
        for name in ("formats", "statuses"):
            out.write(f"{name}: " + ", ".join(f"{kind} {count:,}" for kind, count in facts[name].items()) + "\n")
        out.writelines(f"not read whole: {path}: {why}\n" for path, why in problems)
        out.writelines(f"{one.id}  {one.title}  ({one.source})\n" for one in listed)


@app.command("remove")
def remove(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="The ids that info --documents and search show.")],
    base: Base = None,
) -> None:
    """Remove documents from every file of the library. They stay out until their file changes (or: add --again)."""
    from retrieval.storage import indexing
    from serve.cli.output import own_stdout

    with own_stdout() as out:
        with _progress() as progress:
            titles = indexing.remove(_folder(base), ids, progress)
        out.writelines(f"removed {id_}  {title}\n" for id_, title in zip(ids, titles, strict=True))


def _folder(base: Path | None) -> Path:
    from overread.settings import settings
    from retrieval.library import library_folder

    return base or library_folder(settings())


@contextmanager
def _progress() -> "Iterator[Progress]":
    """A bar on standard error with the rate and the time left; nothing where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description:<18}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        tasks: dict[str, TaskID] = {}

        def told(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(_STAGES.get(stage, stage), total=total, rate="")
            # Bytes are shown as kilobytes; passages as they are.
            unit, size = ("kB/s", 1000) if stage == "read" else ("/s", 1)
            speed = bar.tasks[tasks[stage]].speed
            rate = f"{speed:,.0f} {unit}" if speed else ""
            bar.update(tasks[stage], completed=done // size, total=max(total // size, 1), rate=rate)

        yield told


def _report(report: "Report", encoded: int, paths: list[Path]) -> dict[str, Any]:
    return {
        "added": report.added,
        "replaced": report.replaced,
        "same": report.same,
        "files_unchanged": report.files_unchanged,
        "files_passed_over": report.files_passed_over,
        "encoded": encoded,
        "problems": [{"file": _shown(path, paths), "reason": why} for path, why in report.problems],
    }


def _told(report: "Report") -> str:
    said = [f"{report.added:,} documents added"]
    counts = (
        (report.replaced, "replaced"),
        (report.same, "already there"),
        (report.files_unchanged, "files unchanged"),
        (report.files_passed_over, "files are no documents"),
        (len(report.problems), "not read whole"),
    )
    return ", ".join(said + [f"{count:,} {what}" for count, what in counts if count])


def _shown(path: str, paths: list[Path]) -> str:
    """A path as the user gave it."""
    for given in paths:
        absolute = str(given.absolute())
        if path == absolute or path.startswith((absolute + "/", absolute + "!")):
            return str(given) + path[len(absolute) :]
    return path


def _detail(id_: str, found: "Found") -> dict[str, Any]:
    stored = found.stored
    return {
        "id": id_,
        "document": stored.document.id,
        "section": stored.section,
        "page": stored.page,
        "start": stored.start,
        "end": stored.end,
        "date": stored.document.date,
        "licence": stored.document.licence,
        "status": stored.document.status,
        "status_note": stored.document.note,
        "role": stored.document.role,
        "bm25": round(found.bm25, 4),
        "cosine": None if found.cosine is None else round(found.cosine, 4),
        "sentences": [{"start": a, "end": b, "text": stored.sentence((a, b))} for a, b in found.answer],
    }


def _lines(id_: str, found: "Found") -> str:
    stored = found.stored
    said = " ".join(stored.sentence(span) for span in found.answer)
    passage = found.passage(id_)
    where = f"{passage.source} ({stored.document.id})" + (f"\n    {passage.url}" if passage.url else "")
    return f"{id_}  {passage.score:.2f}  {passage.title}\n    {said}\n    {where}\n"
