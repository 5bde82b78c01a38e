"""Whether every model that is there is what its card says: every checksum computed again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from overread.cards import CardFile, card_paths, read_card
from overread.errors import CardError
from overread.settings import Settings
from tools.registry import known_architectures

State = Literal["good", "missing", "altered", "unknown", "malformed"]


@dataclass(frozen=True)
class Verified:
    """What was found of one card. ``detail`` says what is wrong; it is empty for a good one."""

    name: str
    version: str
    state: State
    detail: str = ""


def verify_cards(where: Settings) -> list[Verified]:
    """Every card in the order of search, those that another of the same name hides left out."""
    found: dict[str, Verified] = {}
    for path in card_paths(where):
        one = _verify(path)
        found.setdefault(one.name, one)
    return list(found.values())


def _verify(path: Path) -> Verified:
    try:
        file = read_card(path)
    except CardError as error:
        return Verified(path.parent.name, "", "malformed", str(error))
    card = file.card
    # What tags text is run by another room, which checks its architecture when it is read.
    if card.task != "tagging" and card.architecture not in known_architectures():
        return Verified(card.name, card.version, "unknown", f"no code here runs the architecture {card.architecture}")
    try:
        file.check()
    except CardError as error:
        return Verified(card.name, card.version, _fault(file), str(error))
    return Verified(card.name, card.version, "good")


def _fault(file: CardFile) -> State:
    names = [file.card.weights.file, *(one.file for one in file.card.companions)]
    return "altered" if all((file.folder / name).is_file() for name in names) else "missing"
