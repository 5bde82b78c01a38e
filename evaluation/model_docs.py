"""Writes ``docs/models.md`` from the cards of the shipped models and the catalogue.

python -m evaluation.model_docs            # writes the page
python -m evaluation.model_docs --check    # exit code 1 when the page is not what the cards say
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from overread.cards import STARTER, CardFile, ModelCard, find_cards
from overread.catalogue import CatalogueEntry, read_catalogue
from overread.settings import Settings

PAGE = Path(__file__).parents[1] / "docs" / "models.md"

HEAD = """# Models

Made from the cards by `python -m evaluation.model_docs`; do not edit it by hand.

A model's card says what it is for, where it may be used, on what it was trained, how well it did and what it cannot do.
How to add one: [own-models.md](own-models.md). `overread models list` shows the cards that are on a machine,
`overread models verify` computes every checksum again.
"""

OFFERED = """## Models that can be pulled

None is downloaded unless asked: `overread models pull NAME` shows the licence first. Where no SHA-256 is known it
must be given with `--sha256`. Their figures are their authors'; none was measured here.
"""


def page() -> str:
    """The whole page as Markdown, of the shipped cards and the packaged catalogue alone."""
    files = find_cards(Settings(models=None, cache=STARTER / "none", catalogue=None))
    entries = read_catalogue(Settings(catalogue=None))
    shipped = [HEAD, "## Shipped models\n", _table(files.values()), *(_card(file.card) for file in files.values())]
    return "\n".join([*shipped, OFFERED, _catalogue(entries.values())])


def _table(files: Iterable[CardFile]) -> str:
    rows = [("model", "task", "domains", "labels", "licence")]
    for card in (file.card for file in files):
        labels = f"{len(card.labels)} labels" if len(card.labels) > 8 else ", ".join(one.name for one in card.labels)
        name = f"[{card.name}](#{card.name.replace('.', '')})"
        rows.append((name, card.task, ", ".join(card.domains) or "any", labels, card.weights.licence))
    return _markdown(rows)


def _card(card: ModelCard) -> str:
    people = card.population
    who = ", ".join([*people.age_bands, *(f"view {view}" for view in people.views)]) or "any"
    facts = [
        f"**{card.title}**, version {card.version}{'. **Experimental.**' if card.experimental else '.'}",
        f"Domains: {', '.join(card.domains) or 'any'}. Population: {who}. {people.note}".strip(),
        f"Labels: {', '.join(label.name for label in card.labels)}.",
        f"Calibration: {card.calibration.get('kind', 'its own')}." if card.calibration else "Not calibrated.",
        f"File: `{card.weights.file}`, SHA-256 `{card.weights.sha256}`, {card.weights.licence}.",
    ]
    parts = [f"### {card.name}\n", "\n\n".join(facts) + "\n"]
    if card.figures:
        rows = [("figure", "value [interval]", "n", "data", "command")]
        for one in card.figures:
            spread = f" [{one.interval[0]:.3f}, {one.interval[1]:.3f}]" if one.interval else ""
            rows.append((one.name, f"{one.value:.3f}{spread}", f"{one.n:,}", one.data, f"`{one.command}`"))
        parts.append(_markdown(rows))
    if card.training:
        sets = [("learned from", "images", "licence", "note")]
        sets += [(f"[{one.name}]({one.source})" if "://" in one.source else one.name, f"{one.images:,}", one.licence,
                  one.note) for one in card.training]  # fmt: skip
        parts.append(_markdown(sets))
    parts.append("What it cannot do:\n\n" + "\n".join(f"- {limit}" for limit in card.limits) + "\n")
    return "\n".join(parts)


def _catalogue(entries: Iterable[CatalogueEntry]) -> str:
    rows = [("name", "what it is", "size", "licence", "SHA-256")]
    for one in entries:
        known = (
            "known" if not one.unknown else "to be given" if not one.convert else "of the converted file, to be given"
        )
        rows.append((f"[{one.name}]({one.homepage})", one.about, one.size, one.licence, f"{known}; {one.checksums}"))
    return _markdown(rows)


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the page, or with ``--check`` compare it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args(arguments).check:
        if not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page():
            sys.stderr.write("docs/models.md is not what the cards say; run: python -m evaluation.model_docs\n")
            sys.exit(1)
        return
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
