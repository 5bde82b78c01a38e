"""Findings of a classifier: calibrated probabilities with intervals, three-way decisions, heatmaps.

Everything that differs between classifiers is in their cards; this module holds none of it.
"""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from overread.cards import CardFile, Label, ModelCard
from overread.errors import CardError
from overread.records import Finding, Region, label_words, says_absence
from tools.admission import check_domains, undecided
from tools.calibration import Chance, decide, read_calibration
from tools.contract import Picture, ToolImage, ToolOutput
from tools.describers import DESCRIBERS, described_layer
from tools.domain import flat
from tools.networks import activation_network, square
from tools.passes import Pass, chosen_device
from tools.weights import fill, read_weights

if TYPE_CHECKING:
    from torch import Tensor, nn

Floats = NDArray[np.float32]
_EMPTY = "the picture is empty: it has one tone all over"
HOT = 0.75
"""The part of the heatmap's peak that a cell must reach to belong to the box of a finding."""


class Findings:
    """A classifier with exact class activation maps, as its card describes it. Implements ``Tool``.

    Several networks may speak together: the weights of each have names that start with its number
    and a dot; their maps are averaged, over the image and its mirror image. Where the card's input names
    ``described``, a layer over those numbers (``tools.describers``) adds to a label's logit, alike in all cells.
    """

    def __init__(self, file: CardFile) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._networks: list[nn.Module] | None = None
        self._layer: nn.Module | None = None
        self.forward: Pass = self._forward
        card = file.card
        try:
            self._size = int(card.input["size"])
            self._widths = tuple(int(n) for n in card.input["widths"])
            self._depths = tuple(int(n) for n in card.input["depths"])
            self._members = int(card.input["members"])
            self._channels = int(card.input.get("channels", 1))
        except (KeyError, TypeError, ValueError) as error:
            raise CardError(f"card {card.name}: its input must name size, widths, depths and members") from error
        fits = 32 <= self._size <= 1024 and 1 <= self._members <= 8 and self._channels in (1, 3)
        if not fits or not len(self._widths) == len(self._depths) >= 3:
            raise CardError(
                f"card {card.name}: the size, widths, depths, members or channels of its input are out of range"
            )
        named = card.input.get("described")
        if named is not None and named not in DESCRIBERS:
            raise CardError(f"card {card.name}: described must be one of {', '.join(DESCRIBERS)}")
        self._describer = DESCRIBERS[named] if named is not None else None
        self._centres = card.input.get("centres", 0)
        if named is not None and not (isinstance(self._centres, int) and 1 <= self._centres <= 100_000):
            raise CardError(f"card {card.name}: beside described, its input must name the number of centres")
        self._calibration = read_calibration(card)

    @property
    def name(self) -> str:
        """The card's name."""
        return self._file.card.name

    @property
    def card(self) -> ModelCard:
        """The card."""
        return self._file.card

    def run(self, images: Sequence[ToolImage]) -> list[ToolOutput]:
        """One output an image, in order; networks run once for all images the card may speak for.

        An image of a patient outside the card's population, or of whom too little is known, gets
        ``indeterminate`` findings with no probability, and the reason; so does an empty image.

        Raises ``ToolError`` for an image of a domain the card does not name, ``CardError`` for weights
        that are missing or altered.
        """
        check_domains(self.card, images)
        misfits = [_EMPTY if flat(image.display) else self.card.population.misfit(image.context) for image in images]
        fitting = [image.display for image, misfit in zip(images, misfits, strict=True) if misfit is None]
        maps = iter(self.maps(fitting))
        return [
            undecided(self.card, misfit) if misfit is not None else self._output(image.display.shape[:2], next(maps))
            for image, misfit in zip(images, misfits, strict=True)
        ]

    def maps(self, images: Sequence[NDArray[np.uint8]]) -> Floats:
        """Class activation maps, float32 ``(N, labels, S/16, S/16)``; the mean of a map is its label's logit.

        Each image is uint8 ``(H, W, 3)`` RGB of any size; only its grey is used unless the card's input has
        three ``channels``.
        """
        import torch

        side = self._size // 16
        if not images:
            return np.zeros((0, len(self.card.labels), side, side), dtype=np.float32)
        out = []
        for begin in range(0, len(images), 32):
            pixels = np.stack([self._pixels(image) for image in images[begin : begin + 32]])
            (cells,) = self.forward(pixels)
            if self._describer is not None:
                self._load()
                numbers = self._describer.describe(images[begin : begin + 32])
                with torch.inference_mode():
                    added: Floats = self._layer(torch.from_numpy(numbers)).numpy()  # type: ignore[misc]
                cells = cells + added[:, :, None, None]
            out.append(cells)
        return np.concatenate(out)

    @property
    def square_side(self) -> int:
        """The side S, in pixels, of the squares that the networks see."""
        return self._size

    def networks_maps(self, x: "Tensor") -> "Tensor":
        """Class activation maps of squares, float32 ``(N, channels, S, S)`` in [0, 1], as the networks alone give them.

        Gradients flow through it. What a ``described`` layer adds is not in it.
        """
        both = [net(x) + net(x.flip(3)).flip(3) for net in self._load()]
        out: Tensor = sum(both[1:], both[0]) / (2 * len(both))
        return out

    def _forward(self, pixels: NDArray[np.uint8]) -> tuple[Floats]:
        """The maps of squares, uint8 ``(N, S, S, channels)``."""
        import torch

        self._load()
        with torch.inference_mode():
            x = torch.from_numpy(pixels).to(chosen_device()).permute(0, 3, 1, 2).float() / 255
            return (self.networks_maps(x).cpu().numpy(),)

    def _pixels(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What a network sees: uint8 ``(S, S, channels)``."""
        if self._channels == 3:
            return square(image, self._size)
        return grey_square(image, self._size)[..., None]

    def _load(self) -> "list[nn.Module]":
        with self._lock:
            if self._networks is None:
                tensors, _ = read_weights(self._file)
                labels = len(self.card.labels)
                self._networks = [
                    fill(
                        activation_network(labels, self._widths, self._depths, self._channels),
                        tensors,
                        f"{k}.",
                        self.name,
                    ).to(chosen_device())
                    for k in range(self._members)
                ]
                if self._describer is not None:
                    layer = described_layer(labels, self._describer.count, self._centres)
                    self._layer = fill(layer, tensors, "described.", self.name)
            return self._networks

    def _output(self, shape: tuple[int, ...], maps: Floats) -> ToolOutput:
        findings, pictures = [], []
        chances = self._calibration.chances([float(cells.mean()) for cells in maps])
        for number, (label, chance, cells) in enumerate(zip(self.card.labels, chances, maps, strict=True), 1):
            finding, picture = _finding(number, label, chance, cells, (shape[0], shape[1]), self.card.localises)
            findings.append(finding)
            pictures.append(picture)
        return ToolOutput(findings=tuple(findings), pictures=tuple(pictures))


def _finding(
    number: int, label: Label, chance: Chance, cells: Floats, shape: tuple[int, int], localises: bool
) -> tuple[Finding, Picture]:
    probability, interval = chance
    decision = decide(label, probability)
    picture = Picture(f"A{number}", "heatmap", heatmap(cells, shape), label_words(label.name))
    # What is not there ("no tumour") has no place.
    placed = localises and decision == "present" and not says_absence(label.name)
    region = Region(box=hot_box(cells, shape), artifact=picture.id) if placed else None
    finding = Finding(
        id=f"F{number}",
        label=label.name,
        probability=probability,
        interval=interval,
        decision=decision,
        region=region,
    )
    return finding, picture


def grey_square(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The grey of an RGB image, stretched to a square: uint8 ``(size, size)``."""
    grey = square(image, size).astype(np.float32).mean(axis=2)
    return np.asarray(np.rint(grey), dtype=np.uint8)


def heatmap(cells: Floats, shape: tuple[int, int]) -> Floats:
    """A class activation map at the image's own size: float32 ``(H, W)`` in [0, 1], the logistic of its cells."""
    from PIL import Image

    chance = 1 / (1 + np.exp(-np.clip(cells, -30, 30).astype(np.float32)))
    picture = Image.fromarray(chance).resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
    return np.clip(np.asarray(picture, dtype=np.float32), 0, 1)


def hot_box(cells: Floats, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """The half-open box ``(x0, y0, x1, y1)`` in an image of ``shape`` round the hottest area of a map.

    The area is the cells joined to the hottest one whose height above the map's least is at least
    ``HOT`` of its.
    """
    from scipy import ndimage

    height = cells - cells.min()
    areas, _ = ndimage.label(height >= HOT * height.max())
    peak = np.unravel_index(int(height.argmax()), height.shape)
    rows, columns = np.nonzero(areas == areas[peak])
    rows_high, columns_wide = cells.shape
    y0, y1 = rows.min() * shape[0] // rows_high, -(-(rows.max() + 1) * shape[0] // rows_high)
    x0, x1 = columns.min() * shape[1] // columns_wide, -(-(columns.max() + 1) * shape[1] // columns_wide)
    return int(x0), int(y0), int(max(x1, x0 + 1)), int(max(y1, y0 + 1))
