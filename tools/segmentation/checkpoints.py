"""Loads a promptable network from its card: SHA-256 checked, safetensors, or ``.pth`` with weights alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from overread.cards import CardFile
from overread.errors import CardError
from tools.errors import ToolError
from tools.segmentation.networks import ARCHITECTURES, STARTER, Promptable, build_network
from tools.weights import fill, read_tensors

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Framing:
    """How a network wants its windows.

    ``size`` is the side of its input. ``stretch`` brings the whole image to a square, as MedSAM does,
    instead of filling it up. ``fill`` is the colour outside the image. ``zoom`` says that the network
    looks at a window round the prompt; ``filled`` is the part of it that a box takes up. ``grey`` shows
    it the mean of the colours alone.
    """

    size: int
    stretch: bool
    fill: tuple[int, int, int]
    zoom: bool
    filled: float
    grey: bool = False


def framing_of(file: CardFile) -> Framing:
    """The framing a card asks for. Raises ``CardError`` when its input says nothing sensible."""
    card, given = file.card, file.card.input
    starter = card.architecture == STARTER
    try:
        size = int(given.get("size", 1024))
        stretch = {"longest-side": False, "stretch": True}[given.get("fit", "longest-side")]
        red, green, blue = (
            round(float(value)) for value in given.get("fill", (0, 0, 0) if starter else (124, 116, 104))
        )
        filled = float(given.get("filled", 0.6))
        grey = {True: True, False: False}[given.get("grey", False)]
    except (KeyError, TypeError, ValueError) as error:
        raise CardError(
            f"card {card.name}: size, fit, fill, filled or grey of its input cannot be understood"
        ) from error
    if not starter and size != 1024:
        raise CardError(f"card {card.name}: the published SAM networks take 1024 pixels and no other size")
    if not 0.2 <= filled <= 1 or not all(0 <= value <= 255 for value in (red, green, blue)):
        raise CardError(f"card {card.name}: fill or filled of its input is out of range")
    return Framing(size, stretch, (red, green, blue), starter, filled, grey)


def load_network(file: CardFile) -> Promptable:
    """The network of a card, ready for use. Raises ``CardError`` for weights that are missing, altered or others."""
    card = file.card
    tensors = read_tensors(file)
    network = build_network(card.architecture, card.input, card.name)
    filled = fill(network, tensors, "", card.name)
    _set_scale(filled, card.input, card.name)
    return cast("Promptable", filled)


def _set_scale(network: "nn.Module", given: Mapping[str, Any], card: str) -> None:
    """Set the mean and spread that pixels are brought to, where the card names others than SAM's own."""
    import torch

    for name in ("pixel_mean", "pixel_std"):
        if name in given:
            try:
                values = torch.tensor([float(value) for value in given[name]])
            except (TypeError, ValueError) as error:
                raise CardError(f"card {card}: {name} of its input must be three numbers") from error
            if values.shape != (3,) or (name == "pixel_std" and not bool((values > 0).all())):
                raise CardError(f"card {card}: {name} of its input must be three numbers, a spread above 0")
            setattr(network, name, values.view(-1, 1, 1))


def promptable(cards: Mapping[str, CardFile], name: str | None = None) -> CardFile:
    """The card of a promptable model: the one named, else the first published network with weights, else the starter.

    Raises ``ToolError`` when there is none of that name, or none at all.
    """
    known = {key: file for key, file in cards.items() if file.card.architecture in ARCHITECTURES}
    if name is not None:
        if name not in known:
            raise ToolError(f"there is no promptable model of that name; there are: {', '.join(known) or 'none'}")
        return known[name]
    ready = [file for file in known.values() if (file.folder / file.card.weights.file).is_file()]
    ready.sort(key=lambda file: file.card.architecture == STARTER)
    if not ready:
        raise ToolError("no promptable model has its weights beside its card; run: overread models verify")
    return ready[0]
