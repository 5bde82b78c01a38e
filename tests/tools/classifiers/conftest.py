"""Cards round tiny networks made on the spot: quick, and real in all but skill."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from overread.cards import CardFile, Companion, Label, ModelCard, Weights
from overread.records import Context
from tools.contract import ToolImage

MakeCard = Callable[..., CardFile]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def toolimage(seed: int = 0, size: tuple[int, int] = (90, 120), domain: str = "dermoscopy") -> ToolImage:
    pixels: NDArray[np.uint8] = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    return ToolImage(pixels, domain, Context())


@pytest.fixture
def make_card(tmp_path: Path) -> MakeCard:
    """A card of a file that is in the test's folder."""

    def make(path: Path, architecture: str, given: dict[str, Any], **changed: Any) -> CardFile:
        companions = tuple(Companion(file=name, sha256=digest(tmp_path / name)) for name in changed.pop("beside", ()))
        card = ModelCard(
            name="tiny",
            version="1",
            title="A tiny model",
            task=changed.pop("task", "classification"),
            domains=("dermoscopy",),
            architecture=architecture,
            input=given,
            labels=tuple(Label(name=name) for name in changed.pop("labels", ("melanoma", "naevus"))),
            training=(),
            weights=Weights(file=path.name, sha256=digest(path), licence="CC0"),
            companions=companions,
            limits=(),
        )
        return CardFile(card=card.model_copy(update=changed), folder=tmp_path)

    return make


CALIBRATED = {
    "kind": "logistic",
    "labels": {name: {"slope": 1.0, "offset": 0.0, "offset_variance": 0.01} for name in ("melanoma", "naevus")},
}
SURE = (Label(name="melanoma", absent_below=0.0, present_from=0.0), Label(name="naevus", absent_below=1.0))
