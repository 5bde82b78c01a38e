"""``overread models``: the model cards, and whether their weights are the files they name."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from overread.cards import CardFile

EXAMPLES = """
Examples:

  overread models list

  overread models verify
"""

app = typer.Typer(help="The models: their cards, and their checksums.", rich_markup_mode=None, epilog=EXAMPLES)


@app.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array with every card.")] = False,
) -> None:
    """List the models: task, domains, population, licence, limits."""
    from overread.cards import find_cards
    from serve.cli.output import own_stdout

    cards = find_cards()
    with own_stdout() as out:
        if as_json:
            out.write(json.dumps([file.card.model_dump(mode="json") for file in cards.values()]) + "\n")
            return
        blocks = ["\n".join(f"{label:<12}{text}".rstrip() for label, text in _lines(file)) for file in cards.values()]
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


@app.command("verify")
def verify() -> None:
    """Check every model's weights against the SHA-256 in its card; exit code 1 when one differs."""
    from overread.cards import find_cards
    from overread.errors import CardError
    from serve.cli.output import own_stdout

    faults = 0
    with own_stdout() as out:
        for name, file in find_cards().items():
            try:
                file.weights()
            except CardError as error:
                faults += 1
                out.write(f"FAULT  {name}: {error}\n")
            else:
                out.write(f"ok     {name} {file.card.version}\n")
    raise typer.Exit(int(bool(faults)))
