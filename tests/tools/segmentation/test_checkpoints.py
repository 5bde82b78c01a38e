import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from overread.cards import CardFile, Weights
from overread.errors import CardError
from tools.errors import ToolError
from tools.registry import ToolRegistry
from tools.segmentation.checkpoints import load_network, promptable
from tools.segmentation.networks import OFFICIAL, build_network
from tools.segmentation.predictor import Segmenter
from tools.segmentation.prompts import Prompt

MakeCard = Callable[..., CardFile]


class Hostile:
    """Does something when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.trace,)


def renewed(file: CardFile) -> CardFile:
    """The card with the checksum of what is in the file now."""
    data = (file.folder / file.card.weights.file).read_bytes()
    weights = Weights(file=file.card.weights.file, sha256=hashlib.sha256(data).hexdigest(), licence="none")
    return CardFile(card=file.card.model_copy(update={"weights": weights}), folder=file.folder)


def test_a_pth_of_weights_alone_gives_the_same_as_safetensors(make_card: MakeCard) -> None:
    image = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    one, other = (Segmenter(make_card(name)) for name in ("weights.safetensors", "weights.pth"))
    asked = Prompt((5, 5, 30, 30))
    assert (one.set_image(image).predict(asked).logits == other.set_image(image).predict(asked).logits).all()


def test_a_pth_with_code_in_it_is_refused_and_never_run(make_card: MakeCard, tmp_path: Path) -> None:
    file = make_card("weights.pth")
    trace = tmp_path / "it-ran"
    (tmp_path / "weights.pth").write_bytes(pickle.dumps({"x": Hostile(trace)}))
    with pytest.raises(CardError, match="weights alone"):
        load_network(renewed(file))
    assert not trace.exists()


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pth"])
@pytest.mark.parametrize("kept", [0, 7, 500, -1])
def test_a_cut_file_is_refused_even_with_its_own_checksum(make_card: MakeCard, name: str, kept: int) -> None:
    file = make_card(name)
    path = file.folder / name
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CardError, match="SHA-256"):
        load_network(file)
    with pytest.raises(CardError):
        load_network(renewed(file))


def test_weights_of_another_shape_are_refused(make_card: MakeCard) -> None:
    make_card()
    with pytest.raises(CardError, match="do not fit"):
        load_network(make_card(input={"widths": [8, 8, 16, 16, 32]}))


@pytest.mark.parametrize("stored", [[1, 2], {"a": "b"}, torch.zeros(3)])
def test_a_pth_that_is_no_table_of_weights_is_refused(make_card: MakeCard, stored: object) -> None:
    file = make_card("weights.pth")
    torch.save(stored, file.folder / "weights.pth")
    with pytest.raises(CardError):
        load_network(renewed(file))


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 100},
        {"size": "large"},
        {"widths": [8, 8]},
        {"widths": None},
        {"dimensions": 4096},
        {"depths": [1, 1, 1, 100]},
        {"filled": 7},
        {"fit": "twisted"},
        {"fill": [0, 0]},
        {"pixel_mean": [1, 2]},
        {"pixel_std": [0, 1, 1]},
    ],
)
def test_an_input_that_makes_no_sense_is_a_card_error(make_card: MakeCard, wrong: dict[str, object]) -> None:
    make_card()
    with pytest.raises(CardError):
        Segmenter(make_card(input=wrong)).set_image(np.zeros((9, 9, 3), np.uint8)).predict(Prompt((0, 0, 9, 9)))


@pytest.mark.parametrize("architecture", OFFICIAL)
def test_the_published_shapes_are_segment_anythings_own(make_card: MakeCard, architecture: str) -> None:
    with torch.device("meta"):
        network = build_network(architecture, {}, "official")
    weights = network.state_dict()
    assert weights["image_encoder.pos_embed"].shape[1:3] == (64, 64)
    assert (
        len([name for name in weights if name.endswith("attn.qkv.weight")])
        == {"b": 12, "l": 24, "h": 32}[architecture[-1]]
    )
    make_card()
    with pytest.raises(CardError, match="1024"):
        Segmenter(make_card(architecture=architecture))


def test_a_promptable_model_is_no_tool_that_runs_by_itself(make_card: MakeCard) -> None:
    file = make_card()
    assert ToolRegistry({"small": file}).all() == []
    assert promptable({"small": file}) is file
    assert promptable({"small": file}, "small") is file
    with pytest.raises(ToolError, match="no promptable model of that name"):
        promptable({"small": file}, "large")
    with pytest.raises(ToolError, match="no promptable model has its weights"):
        promptable({})


def test_an_architecture_that_is_not_prompted_is_a_card_error(make_card: MakeCard) -> None:
    with pytest.raises(CardError, match="architecture"):
        Segmenter(make_card(architecture="activation-resnet"))
