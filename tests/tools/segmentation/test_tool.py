"""A promptable network with one prompt, as a CAD tool."""

import numpy as np
import pytest

from overread.errors import CardError
from overread.records import Context
from tools.contract import ToolImage
from tools.errors import ToolError
from tools.segmentation.predictor import Segmenter
from tools.segmentation.prompts import Prompt, PromptError
from tools.segmentation.tool import TOLD, Outline
from tools.segmentation.uncertainty import Uncertain

MASK = np.zeros((50, 70), dtype=bool)
MASK[10:30, 20:60] = True


def image(domain: str = "ct/chest", spacing: tuple[float, float] | None = None) -> ToolImage:
    pixels = np.random.default_rng(0).integers(0, 255, (50, 70, 3), dtype=np.uint8)
    return ToolImage(pixels, domain, Context(), np.full((50, 70), 40, np.float32), spacing)


def answering(monkeypatch: pytest.MonkeyPatch, mask: np.ndarray, distrust: bool | None) -> None:
    found = Uncertain(mask, np.zeros(mask.shape, np.float32), 0.1, distrust, 0.9)
    monkeypatch.setattr("tools.segmentation.tool.with_uncertainty", lambda *_: found)


def test_an_outline_is_drawn_and_measured(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, MASK, distrust=False)
    (output,) = Outline(segmenter, Prompt((20, 10, 60, 30)), "the outline in the box").run([image(spacing=(0.5, 0.5))])
    assert [picture.kind for picture in output.pictures] == ["mask", "uncertainty"]
    found = {one.name: (one.value, one.unit) for one in output.measurements}
    assert found["area of the outline in the box"] == (200, "mm²")
    assert found["mean intensity of the outline in the box"] == (40, "HU")
    assert [name.removesuffix(" of the outline in the box") for name in found] == list(TOLD)
    assert output.reason is None


def test_what_is_in_doubt_is_shown_and_not_measured(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, MASK, distrust=True)
    (output,) = Outline(segmenter, Prompt((20, 10, 60, 30)), "it").run([image()])
    assert output.pictures
    assert output.measurements == ()
    assert "in doubt" in (output.reason or "")
    assert all("in doubt" in picture.title for picture in output.pictures)


def test_what_nobody_asked_for_is_not_drawn_when_in_doubt(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, MASK, distrust=True)
    (output,) = Outline(segmenter, Prompt((20, 10, 60, 30)), "it", place=(20, 10, 60, 30)).run([image()])
    assert output.pictures == output.measurements == ()
    assert "in doubt" in (output.reason or "")


def test_what_lies_beside_its_finding_is_not_drawn(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, MASK, distrust=False)
    rows, columns = MASK.any(1).nonzero()[0], MASK.any(0).nonzero()[0]
    around = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    (drawn,) = Outline(segmenter, Prompt(around), "it", place=around).run([image()])
    assert drawn.pictures
    corner = (around[0], around[1], around[0] + 2, around[1] + 2)
    (output,) = Outline(segmenter, Prompt(around), "it", place=corner).run([image()])
    assert output.pictures == output.measurements == ()
    assert "beside" in (output.reason or "")


def test_what_takes_up_much_of_the_image_is_no_finding(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, MASK | True, distrust=False)
    height, width = MASK.shape
    (output,) = Outline(segmenter, Prompt((20, 10, 60, 30)), "it", place=(0, 0, width, height)).run([image()])
    assert output.pictures == output.measurements == ()
    assert "too much" in (output.reason or "")


def test_an_empty_outline_is_told(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, MASK & False, distrust=True)
    (output,) = Outline(segmenter, Prompt((20, 10, 60, 30)), "it").run([image()])
    assert output.pictures == output.measurements == ()
    assert output.reason


def test_a_real_network_answers_for_each_image(segmenter: Segmenter) -> None:
    outputs = Outline(segmenter, Prompt((20, 10, 60, 30)), "it").run([image(), image("fundus")])
    assert len(outputs) == 2
    for output in outputs:
        assert all(picture.pixels.shape == (50, 70) for picture in output.pictures)


def test_a_box_outside_the_image_is_a_prompt_error(segmenter: Segmenter) -> None:
    with pytest.raises(PromptError, match="must lie in the image"):
        Outline(segmenter, Prompt((20, 10, 600, 30)), "it").run([image()])


def test_a_card_that_names_domains_keeps_to_them(make_card) -> None:  # type: ignore[no-untyped-def]
    outline = Outline(Segmenter(make_card(domains=("fundus",))), Prompt((20, 10, 60, 30)), "it")
    with pytest.raises(ToolError, match="card does not name"):
        outline.run([image("ct/chest")])


def test_altered_weights_are_a_card_error(make_card) -> None:  # type: ignore[no-untyped-def]
    file = make_card()
    file.weights().write_bytes(b"other")
    with pytest.raises(CardError):
        Outline(Segmenter(file), Prompt((20, 10, 60, 30)), "it").run([image()])
