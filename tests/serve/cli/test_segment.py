"""``overread segment`` as a command."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from overread.cards import find_cards
from serve.cli.segment import read_prompt
from serve.errors import ArgumentsError

Overread = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.mark.parametrize(
    ("box", "points", "auto"),
    [
        (None, [], False),
        ("1,2,3", [], False),
        ("1,2,1,9", [], False),
        ("1,2,x,9", [], False),
        (None, ["1,2,-"], False),
        (None, ["1;2"], False),
        ("1,2,3,4", [], True),
        (None, ["1,2"] * 99, False),
    ],
)
def test_a_prompt_that_says_nothing_is_refused(box: str | None, points: list[str], auto: bool) -> None:
    with pytest.raises(ArgumentsError):
        read_prompt(box, points, auto)


def test_a_prompt_is_read_as_typed() -> None:
    prompt = read_prompt("1,2,30,40", ["5,6", "7,8,-"], auto=False)
    assert prompt is not None
    assert prompt.box == (1, 2, 30, 40)
    assert [(one.x, one.y, one.inside) for one in prompt.points] == [(5, 6, True), (7, 8, False)]


@pytest.fixture
def retina(tmp_path: Path) -> Path:
    if not {"sam-starter", "domain-clip"} <= find_cards().keys():
        pytest.skip("the starter weights are not here; run: python -m training.sam")
    path = tmp_path / "retina.png"
    Image.fromarray(data.retina()).save(path)
    return path


def test_a_box_gives_a_mask_its_doubt_and_what_else_it_could_be(
    overread: Overread, retina: Path, tmp_path: Path
) -> None:
    out, doubt = tmp_path / "mask.png", tmp_path / "doubt.png"
    arguments = ["segment", retina, "--box", "740,480,980,720", "-o", out, "--uncertainty", doubt, "--json"]
    done = overread(*arguments, "--alternatives")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    mask = np.asarray(Image.open(out))
    assert mask.shape == tuple(told["size"]) == np.asarray(Image.open(doubt)).shape
    assert set(np.unique(mask)) <= {0, 255}
    assert told["area_px"] == (mask > 0).sum()
    assert told["area_mm2"] is None
    assert told["model"]["name"] == "sam-starter"
    assert told["uncertainty"]["do_not_trust"] in (True, False)
    for number, other in enumerate(told["others"], start=2):
        written = np.asarray(Image.open(tmp_path / f"mask.{number}.png")) > 0
        assert other["area_px"] == written.sum()
        assert other["dice_to_first"] < 0.85


@pytest.mark.parametrize(
    "arguments",
    [
        ["--auto", "--alternatives"],
        ["--auto", "--uncertainty", "u.png"],
        ["--box", "1,2,3"],
        [],
    ],
)
def test_bad_arguments_are_one_line(overread: Overread, tmp_path: Path, arguments: list[str]) -> None:
    path = tmp_path / "grey.png"
    Image.fromarray(np.zeros((8, 8), dtype=np.uint8)).save(path)
    done = overread("segment", path, "-o", tmp_path / "m.png", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "m.png").exists()
