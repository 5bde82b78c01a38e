from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from overread.cards import CardFile
from overread.errors import CardError
from overread.records import Context
from tools.contract import Tool, ToolImage
from tools.errors import ToolError
from tools.registry import ToolRegistry

from .conftest import CALIBRATED, SURE, MakeCard, digest, toolimage

NAME = "test_resnet.r160_in1k"
INPUT = {"model": NAME.split(".")[0], "size": 64, "channels": 3, "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]}


def tool_of(file: CardFile) -> Tool:
    return ToolRegistry({"tiny": file}).get("tiny")


@pytest.fixture
def network() -> Any:
    torch.manual_seed(0)
    return timm.create_model(INPUT["model"], num_classes=2).eval()


@pytest.fixture(params=["weights.safetensors", "weights.pth"])
def saved(request: pytest.FixtureRequest, network: Any, tmp_path: Path) -> Path:
    path: Path = tmp_path / request.param
    if path.suffix == ".pth":
        torch.save({"state_dict": network.state_dict()}, path)
    else:
        save_file(network.state_dict(), path)
    return path


def test_a_timm_network_gives_what_timm_gives(make_card: MakeCard, saved: Path, network: Any) -> None:
    tool = tool_of(make_card(saved, "timm", INPUT, calibration=CALIBRATED, labels=("melanoma", "naevus")))
    image = toolimage(size=(64, 64))
    (output,) = tool.run([image])
    pixels = torch.from_numpy(image.display).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        wanted = torch.sigmoid(network((pixels - 0.5) / 0.2))[0]
    for finding, chance in zip(output.findings, wanted, strict=True):
        assert finding.probability == pytest.approx(float(chance), abs=1e-4)
        assert finding.interval is not None
        assert finding.interval[0] < finding.probability < finding.interval[1]


def test_without_a_calibration_nothing_is_decided_and_no_probability_shown(make_card: MakeCard, saved: Path) -> None:
    (output,) = tool_of(make_card(saved, "timm", INPUT)).run([toolimage()])
    assert [(f.probability, f.interval, f.decision) for f in output.findings] == [(None, None, "indeterminate")] * 2


def test_a_present_finding_has_a_heatmap_and_a_box_in_the_image(make_card: MakeCard, saved: Path) -> None:
    file = make_card(saved, "timm", INPUT | {"fit": "crop"}, calibration=CALIBRATED)
    file = CardFile(card=file.card.model_copy(update={"labels": SURE}), folder=file.folder)
    for seed in range(4):
        (output,) = tool_of(file).run([toolimage(seed, (90, 130))])
        melanoma = output.findings[0]
        assert melanoma.decision == "present"
        heat = output.pictures[0].pixels.astype(np.float32)
        assert heat.shape == (90, 130)
        assert 0 <= heat.min() <= heat.max() <= 1
        assert not heat[:, :20].any()
        if heat.any():
            assert melanoma.region is not None
            x0, y0, x1, y1 = melanoma.region.box
            assert 20 <= x0 < x1 <= 110
            assert 0 <= y0 < y1 <= 90


def test_a_transformer_has_no_heatmap(make_card: MakeCard, tmp_path: Path) -> None:
    network = timm.create_model("test_vit", num_classes=2, img_size=64)
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    file = make_card(tmp_path / "w.safetensors", "timm", {"model": "test_vit", "size": 64})
    (output,) = tool_of(file).run([toolimage()])
    assert output.pictures == ()
    assert len(output.findings) == 2


def test_a_batch_says_the_same_as_one_by_one_and_an_empty_one_nothing(make_card: MakeCard, saved: Path) -> None:
    tool = tool_of(make_card(saved, "timm", INPUT, calibration=CALIBRATED))
    images = [toolimage(seed) for seed in range(18)]
    together = [output.findings[0].probability for output in tool.run(images)]
    assert together == pytest.approx([tool.run([image])[0].findings[0].probability for image in images], abs=1e-4)
    assert tool.run([]) == []


def test_probabilities_of_a_softmax_are_calibrated_from_their_odds(make_card: MakeCard, saved: Path) -> None:
    tool = tool_of(make_card(saved, "timm", INPUT | {"gives": "softmax"}, calibration=CALIBRATED))
    (output,) = tool.run([toolimage()])
    assert sum(f.probability or 0 for f in output.findings) == pytest.approx(1, abs=1e-5)


def test_another_domain_and_another_population_are_refused(make_card: MakeCard, saved: Path) -> None:
    file = make_card(saved, "timm", INPUT)
    population = file.card.population.model_copy(update={"age_bands": ("adult",)})
    file = CardFile(card=file.card.model_copy(update={"population": population}), folder=file.folder)
    with pytest.raises(ToolError, match="does not name"):
        tool_of(file).run([toolimage(domain="fundus")])
    child = ToolImage(toolimage().display, "dermoscopy", Context(age_band="child"))
    (output,) = tool_of(file).run([child])
    assert output.reason == "this model speaks only for adults"
    assert {f.decision for f in output.findings} == {"indeterminate"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": "no_such_network"},
        {"model": "hf-hub:someone/something"},
        {"model": None},
        {"size": 9},
        {"size": "big"},
        {"channels": 2},
        {"std": 0},
        {"std": [1, 1]},
        {"mean": "grey"},
        {"range": [1, 0]},
        {"fit": "twisted"},
        {"gives": "oracles"},
        {"outputs": 1},
        {"columns": [0, 0]},
        {"columns": [0, 7]},
    ],
)
def test_an_input_that_makes_no_sense_is_a_card_error(make_card: MakeCard, saved: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(CardError, match="card tiny"):
        tool_of(make_card(saved, "timm", INPUT | wrong)).run([toolimage()])


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def other(path: Path) -> None:
    path.write_bytes(b"PK not a model at all")


def another_shape(path: Path) -> None:
    tensors = timm.create_model(INPUT["model"], num_classes=3).state_dict()
    torch.save(tensors, path) if path.suffix == ".pth" else save_file(tensors, path)


@pytest.mark.parametrize("spoil", [cut, other, another_shape])
def test_a_spoiled_file_is_refused_by_its_checksum_and_by_itself(
    make_card: MakeCard, saved: Path, spoil: Callable[[Path], None]
) -> None:
    file = make_card(saved, "timm", INPUT)
    spoil(saved)
    with pytest.raises(CardError, match="SHA-256"):
        tool_of(file).run([toolimage()])
    weights = file.card.weights.model_copy(update={"sha256": digest(saved)})
    renewed = CardFile(card=file.card.model_copy(update={"weights": weights}), folder=file.folder)
    with pytest.raises(CardError, match="card tiny"):
        tool_of(renewed).run([toolimage()])
    saved.unlink()
    with pytest.raises(CardError, match="missing"):
        tool_of(renewed).run([toolimage()])


def test_a_whole_pickled_network_is_refused(make_card: MakeCard, network: Any, tmp_path: Path) -> None:
    torch.save(network, tmp_path / "whole.pt")
    with pytest.raises(CardError, match="weights alone"):
        tool_of(make_card(tmp_path / "whole.pt", "timm", INPUT)).run([toolimage()])


XRAY = {"size": 64, "channels": 1, "range": [-1024, 1024], "fit": "crop", "outputs": 18, "columns": [8, 3]}


def test_the_x_ray_densenet_has_the_published_names_and_reads_the_named_columns(
    make_card: MakeCard, tmp_path: Path
) -> None:
    from torchvision.models import densenet121

    torch.manual_seed(1)
    network: Any = densenet121(weights=None, num_classes=18)
    network.features.conv0 = torch.nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)
    assert "features.denseblock1.denselayer1.conv1.weight" in network.state_dict()
    assert sum(p.numel() for p in network.parameters()) == 6_966_034
    save_file(network.state_dict() | {"op_threshs": torch.zeros(18)}, tmp_path / "w.safetensors")
    file = make_card(tmp_path / "w.safetensors", "torchxrayvision-densenet", XRAY, calibration=CALIBRATED)
    image = toolimage(size=(64, 96))
    (output,) = tool_of(file).run([image])
    grey = torch.from_numpy(image.display[:, 16:80].astype(np.float32)).mean(dim=2)[None, None]
    with torch.no_grad():
        wanted = torch.sigmoid(network.eval()(grey / 255 * 2048 - 1024))[0, [8, 3]]
    assert [f.probability for f in output.findings] == pytest.approx(wanted.tolist(), abs=1e-3)
    with pytest.raises(CardError, match="one channel"):
        tool_of(make_card(tmp_path / "w.safetensors", "torchxrayvision-densenet", XRAY | {"channels": 3})).run([image])
