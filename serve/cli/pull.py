"""``overread models pull``: a public model, its licence shown first, its checksum proved before it is used."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serve.errors import ArgumentsError

if TYPE_CHECKING:
    from overread.catalogue import CatalogueEntry
    from overread.download import Progress

_DIGEST = re.compile(r"(?:([A-Za-z0-9][A-Za-z0-9._-]*)=)?([0-9a-fA-F]{64})")


def pull(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model of: overread models list --available")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; the licence is taken as read.")] = False,
    sha256: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[FILE=]HEX", help="The SHA-256 of a file, where the catalogue knows none. May be repeated."
        ),
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Take the weights from this file, not the network.")
    ] = None,
) -> None:
    """Put a model of the catalogue in place: licence first, resumed where it broke off, checksum proved."""
    from overread.catalogue import read_catalogue
    from overread.pull import home_of, present
    from overread.pull import pull as pull_model
    from overread.settings import settings
    from serve.cli.output import own_stdout

    where = settings()
    catalogue = read_catalogue(where)
    if name not in catalogue:
        raise ArgumentsError(f"there is no model of that name; there are: {', '.join(sorted(catalogue))}")
    if source is not None and not source.is_file():
        raise ArgumentsError("--from names no file that is there; check its path")
    given = read_checksums(sha256 or [], catalogue[name])
    entry = catalogue[name].with_checksums(given)
    with own_stdout() as out:
        there = present(entry, where)
        if there is not None:
            out.write(f"{name} is there already, and every SHA-256 is right: {there.folder}\n")
            return
        if entry.convert and source is None:
            raise ArgumentsError(f"{name}: {entry.convert}; then give that with --from and --sha256")
        if entry.unknown:
            raise ArgumentsError(
                f"{name}: no SHA-256 is known of {' and '.join(entry.unknown)}; find it on {entry.homepage} "
                f"and give it with --sha256 {entry.unknown[0]}=HEX"
            )
        _consent(entry, home_of(name, where), yes)
        with _bar() as progress:
            pulled = pull_model(entry, where, progress, source)
        how = f"downloaded {', '.join(pulled.fetched)}" if pulled.fetched else "nothing had to be downloaded"
        out.write(f"{name} is in place, and every SHA-256 is right ({how}): {pulled.file.folder}\n")


def read_checksums(given: list[str], entry: "CatalogueEntry") -> dict[str, str]:
    """``--sha256`` as digests by file name. A bare digest is of the weights. Raises ``ArgumentsError``."""
    names = [one.file for one in entry.files]
    read: dict[str, str] = {}
    for text in given:
        match = _DIGEST.fullmatch(text)
        if match is None:
            raise ArgumentsError("--sha256 takes 64 hexadecimal digits, or FILE= and the digits")
        file = match[1] or names[0]
        if file not in names:
            raise ArgumentsError(f"--sha256 names a file that {entry.name} does not have; it has: {', '.join(names)}")
        if file in read:
            raise ArgumentsError(f"--sha256 is given twice for {file}; give it once")
        read[file] = match[2].lower()
    return read


def _consent(entry: "CatalogueEntry", home: Path, yes: bool) -> None:
    """Show licence and size, and ask. Raises ``ArgumentsError`` where nobody can be asked or the answer is no."""
    if not yes and not sys.stdin.isatty():
        raise ArgumentsError(
            f"{entry.name} is under the licence {entry.licence} and takes {entry.size}; nobody can be asked here, "
            "so give --yes if you agree"
        )
    shown = [
        f"{entry.name}: {entry.about}",
        f"Licence  {entry.licence}",
        f"Size     {entry.size}",
        f"Page     {entry.homepage}",
        f"Into     {home}",
    ]
    sys.stderr.write("\n".join(shown) + "\n")
    if yes:
        return
    sys.stderr.write("Agree to the licence and go on? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise ArgumentsError("not agreed, so nothing was downloaded")


@contextmanager
def _bar() -> "Iterator[Progress]":
    """A progress bar on standard error where that is a terminal, else silence."""
    if not os.isatty(sys.stderr.fileno()):
        yield lambda _name, _got, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks = {}

        def show(name: str, got: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=got, total=total)

        yield show
