from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from overread.cards import CardFile, Label
from overread.errors import CardError
from tools.classifiers.clip import Clip, build_clip
from tools.classifiers.zero_shot import UNCALIBRATED, ZeroShot
from tools.concepts import concepts, concepts_for
from tools.registry import ToolRegistry

from .conftest import CALIBRATED, MakeCard, toolimage

PLAIN = {
    "size": 32,
    "embed_dim": 16,
    "vision": {"layers": 1, "width": 64, "head_width": 32, "patch_size": 16},
    "text": {"context_length": 24, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
    "tokenizer": {"kind": "clip"},
}
BERT = {
    "size": 32,
    "embed_dim": 16,
    "vision": {"timm_model_name": "test_vit", "timm_pool": "", "timm_proj": "linear"},
    "text": {
        "bert": {"vocab_size": 9, "hidden_size": 32, "layers": 1, "heads": 2, "intermediate_size": 32, "positions": 32},
        "pooler": "cls_last_hidden_state_pooler",
        "projection": "mlp",
    },
    "tokenizer": {"kind": "wordpiece", "file": "vocab.txt", "length": 32},
}
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "lung", "clear", "a", "lesion"]


@pytest.fixture(params=["plain", "bert"])
def file(request: pytest.FixtureRequest, make_card: MakeCard, tmp_path: Path) -> CardFile:
    given: dict[str, Any] = {"plain": PLAIN, "bert": BERT}[request.param]
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS), "utf-8")
    torch.manual_seed(2)
    network = build_clip("tiny", given, 32)
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, tmp_path / "w.safetensors")
    beside = ("vocab.txt",) if request.param == "bert" else ()
    return make_card(tmp_path / "w.safetensors", "open-clip", given, beside=beside, labels=("melanoma",))


def changed(file: CardFile, **fields: Any) -> CardFile:
    return CardFile(card=file.card.model_copy(update=fields), folder=file.folder)


def test_a_label_comes_with_the_descriptions_it_is_nearest_to_and_decides_nothing(file: CardFile) -> None:
    tool = ToolRegistry({"tiny": file}).get("tiny")
    images = [toolimage(seed) for seed in range(2)]
    outputs = tool.run(images)
    assert isinstance(tool, ZeroShot)
    (concept,) = concepts_for(file.card, "dermoscopy")
    for image, output in zip(images, outputs, strict=True):
        (finding,) = output.findings
        assert (finding.label, finding.probability, finding.decision) == ("melanoma", None, "indeterminate")
        assert output.reason == UNCALIBRATED
        cosines = tool.similarities([image.display], concept.descriptors)[0]
        first, second = np.argsort(-cosines)[:2]
        assert output.explanation is not None
        assert output.explanation.startswith(f'melanoma: nearest to "{concept.descriptors[first]}"')
        assert f'and "{concept.descriptors[second]}"' in output.explanation
        assert output.told == f"{UNCALIBRATED}; {output.explanation}"


def test_a_calibration_in_the_card_gives_a_probability(file: CardFile) -> None:
    label = Label(name="melanoma", absent_below=0.01, present_from=0.01)
    tool = ZeroShot(changed(file, calibration=CALIBRATED, labels=(label,)))
    (output,) = tool.run([toolimage()])
    assert output.reason is None
    assert output.told == output.explanation
    assert output.findings[0].probability is not None
    assert output.findings[0].decision == "present"


def test_the_words_of_a_label_in_the_card_are_asked_for(file: CardFile) -> None:
    labels = (Label(name="hairs", prompts=("a skin lesion with hairs over it",)), Label(name="unheard of"))
    (output,) = ZeroShot(changed(file, labels=labels)).run([toolimage()])
    assert [finding.label for finding in output.findings] == ["hairs"]
    assert output.explanation is not None
    assert output.explanation.startswith("hairs: nearest to ")
    (concept,) = concepts_for(changed(file, labels=labels).card, "dermoscopy")
    assert concept.present == ("a skin lesion with hairs over it",)


def test_vectors_are_of_unit_length_and_a_text_is_read_the_same_alone(file: CardFile) -> None:
    clip = Clip(file)
    texts = ["a clear lung", "a lesion", "lung " * 200]
    together = clip.texts(texts)
    assert np.linalg.norm(together, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    for row, text in enumerate(texts):
        assert clip.texts([text])[0] == pytest.approx(together[row], abs=1e-4)
    assert np.linalg.norm(clip.images([toolimage().display]), axis=1) == pytest.approx([1], abs=1e-5)


def test_nothing_is_asked_of_a_network_that_is_not_there(file: CardFile, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert ZeroShot(file).run([toolimage()])[0].findings


@pytest.mark.parametrize(
    "wrong",
    [
        {"embed_dim": 0},
        {"embed_dim": 17},
        {"vision": {"timm_model_name": "hf-hub:someone/something"}},
        {"vision": {"timm_model_name": "test_vit", "timm_model_pretrained": True}},
        {"vision": {"layers": 10**6, "width": 64, "patch_size": 16}},
        {"text": {"hf_model_name": "someone/something"}},
        {"text": {"bert": {"auto_map": "x"}}},
        {"text": None},
        {"tokenizer": {"kind": "someone/something"}},
        {"tokenizer": {"kind": "wordpiece", "file": "../vocab.txt"}},
        {"tokenizer": "clip"},
        {"channels": 1},
    ],
)
def test_an_input_that_makes_no_sense_is_a_card_error(file: CardFile, wrong: dict[str, Any]) -> None:
    with pytest.raises(CardError, match="card tiny"):
        ZeroShot(changed(file, input=file.card.input | wrong)).run([toolimage()])


def test_an_altered_vocabulary_is_a_card_error(file: CardFile) -> None:
    if not file.card.companions:
        pytest.skip("this tokenizer is OpenCLIP's own")
    (file.folder / "vocab.txt").write_text("\n".join([*WORDS[:-1], "changed"]), "utf-8")
    with pytest.raises(CardError, match="SHA-256"):
        ZeroShot(file).run([toolimage()])


def test_the_score_is_zero_between_and_grows_with_what_speaks_for_the_label() -> None:
    concept = concepts()[0]
    count = len(concept.descriptors)
    flat = np.full(count, 0.2, dtype=np.float32)
    assert concept.score(flat, 10.0) == pytest.approx(0, abs=1e-5)
    more = flat.copy()
    more[0] += 0.1
    assert concept.score(more, 10.0) > 0
    assert concept.score(more, 100.0) > concept.score(more, 10.0)
