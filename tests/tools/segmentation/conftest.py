"""A promptable model with weights drawn at random, in a folder of its own: quick, and real in all but skill."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from overread.cards import CardFile, Label, ModelCard, Weights
from tools.segmentation.networks import build_network
from tools.segmentation.predictor import Segmenter

SMALL = {"size": 64, "dimensions": 32, "widths": [8, 8, 16, 16, 16], "depths": [1, 1, 1, 1], "filled": 0.6}

MakeCard = Callable[..., CardFile]


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.fixture
def make_card(tmp_path: Path) -> MakeCard:
    """A card for a file in the folder, with any field of it or of its input changed."""

    def make(name: str = "weights.safetensors", architecture: str = "sam-starter", **changed: object) -> CardFile:
        path = tmp_path / name
        if not path.exists():
            torch.manual_seed(3)
            tensors = build_network("sam-starter", SMALL, "small").state_dict()
            if path.suffix == ".pth":
                torch.save(tensors, path)
            else:
                save_file(tensors, path)
        card = ModelCard(
            name="small",
            version="1",
            title="A small one",
            task="segmentation",
            domains=(),
            architecture=architecture,
            input=SMALL | changed.pop("input", {}),  # type: ignore[operator]
            labels=(Label(name="object"),),
            training=(),
            weights=Weights(file=name, sha256=digest(path), licence="Apache-2.0"),
            limits=(),
        )
        return CardFile(card=card.model_copy(update=changed), folder=tmp_path)

    return make


@pytest.fixture
def segmenter(make_card: MakeCard) -> Segmenter:
    return Segmenter(make_card())
