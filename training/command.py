"""How every training command begins: where the data lie, where the folder goes, a log, a seed."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from overread.cards import STARTER
from training.loop import seed_all


def parser_for(command: str, purpose: str | None, name: str) -> argparse.ArgumentParser:
    """The parser of a training command, with ``--data`` and ``--out``; ``name`` is the folder among the starters."""
    parser = argparse.ArgumentParser(prog=command, description=(purpose or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder with images.csv (else OVERREAD_SHARED/data, ../shared/data)")
    parser.add_argument("--out", type=Path, default=STARTER / name, help="folder for the card and its files")
    return parser


def begin(parser: argparse.ArgumentParser, arguments: Sequence[str] | None, seed: int) -> argparse.Namespace:
    """Read the arguments, log with the time of day, and seed everything that draws."""
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    seed_all(seed)
    return given
