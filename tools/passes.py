"""A network's pass over prepared pixels: the one part of a tool that may run in another process, or on a GPU.

What comes before it (squares and crops of an image) and after it (calibration, decisions, masks in the image's
size) stays where the image is. So what travels has a fixed small shape, and passes of several users make one batch.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from overread.cards import ModelCard
from overread.settings import settings
from tools.errors import ToolError

if TYPE_CHECKING:
    from torch import device

Pass = Callable[[NDArray[Any]], tuple[NDArray[np.float32], ...]]
"""Takes the pixels of N images, gives one or more arrays whose first axis is N. Safe to call from several threads."""


@runtime_checkable
class Networked(Protocol):
    """What has a network of a card. ``forward`` is its pass; another of the same kind may be put in its place."""

    forward: Pass

    @property
    def card(self) -> ModelCard:
        """The card whose weights the pass runs."""


def chosen_device() -> "device":
    """Where networks run: ``OVERREAD_DEVICE``. Raises ``ToolError`` when there is no such device here."""
    import torch

    name = settings().device
    if name == "cuda" and not torch.cuda.is_available():
        raise ToolError("OVERREAD_DEVICE is cuda and no CUDA device is usable here; unset it, or repair the driver")
    return torch.device(name)
