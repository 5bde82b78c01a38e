"""``overread models``: the model cards, whether their files are the ones they name, and models to pull."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serve.cli.pull import pull

if TYPE_CHECKING:
    from overread.cards import CardFile
    from overread.catalogue import CatalogueEntry

EXAMPLES = """
Examples:

  overread models list

  overread models pull sam-vit-b

  overread models verify
"""

app = typer.Typer(help="The models: cards, checksums, and more of them.", rich_markup_mode=None, epilog=EXAMPLES)


@app.command("list")
def list_models(
    available: Annotated[
        bool, typer.Option("--available", help="The models that can be pulled, instead of those that are here.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array with every card.")] = False,
) -> None:
    """List the models: task, domains, population, licence, limits."""
    from overread.cards import find_cards
    from overread.catalogue import read_catalogue
    from overread.settings import settings
    from serve.cli.output import own_stdout

    with own_stdout() as out:
        if available:
            entries = list(read_catalogue(settings()).values())
            rows: list[Any] = [entry.model_dump(mode="json") for entry in entries]
            texts = [_offered(entry) for entry in entries]
        else:
            files = list(find_cards().values())
            rows = [file.card.model_dump(mode="json") for file in files]
            texts = [_lines(file) for file in files]
        if as_json:
            out.write(json.dumps(rows) + "\n")
            return
        blocks = ["\n".join(f"{label:<12}{text}".rstrip() for label, text in lines) for lines in texts]
        out.write("\n\n".join(blocks) + "\n" if blocks else "no model cards were found\n")


def _lines(file: "CardFile") -> list[tuple[str, Any]]:
    card = file.card
    population = card.population
    who = ", ".join([*population.age_bands, *(f"view {view}" for view in population.views)]) or "any"
    state = " (experimental)" if card.experimental else ""
    return [
        ("Model", f"{card.name} {card.version}{state}"),
        ("", card.title),
        ("Task", card.task),
        ("Domains", ", ".join(card.domains) or "any"),
        ("Population", f"{who}. {population.note}".strip() if population.note else who),
        ("Labels", ", ".join(label.name for label in card.labels)),
        ("Licence", card.weights.licence),
        ("SHA-256", card.weights.sha256),
        *(("Limit", limit) for limit in card.limits),
    ]


def _offered(entry: "CatalogueEntry") -> list[tuple[str, Any]]:
    return [
        ("Model", entry.name),
        ("", entry.about),
        ("Licence", entry.licence),
        ("Size", entry.size),
        ("Page", entry.homepage),
        *(("SHA-256", f"{one.sha256 or 'not known'} {one.file}") for one in entry.files),
        ("Checksums", entry.checksums),
        *((("Note", entry.convert),) if entry.convert else ()),
    ]


@app.command("verify")
def verify(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array with an object a card.")] = False,
) -> None:
    """Compute every checksum again: good, missing, altered, unknown architecture or malformed card.

    The exit code is 0 when all are good, else 2.
    """
    from dataclasses import asdict

    from overread.settings import settings
    from serve.cli import EXIT_BAD_ARGUMENTS
    from serve.cli.output import own_stdout

    with own_stdout() as out:
        from tools.verification import verify_cards

        found = verify_cards(settings())
        if as_json:
            out.write(json.dumps([asdict(one) for one in found]) + "\n")
        else:
            for one in found:
                out.write(f"{one.state:<10}{one.name} {one.version} {one.detail}".rstrip() + "\n")
    raise typer.Exit(0 if all(one.state == "good" for one in found) else EXIT_BAD_ARGUMENTS)


app.command("pull")(pull)
