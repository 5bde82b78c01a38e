import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file
from skimage import data

from overread.cards import STARTER, CardFile, find_cards, read_card
from overread.domains import domains
from overread.errors import CardError
from overread.settings import Settings
from tools.domain import DomainDecision, DomainIdentifier, domain_identifier
from tools.errors import ToolError
from tools.prompts import not_medical, prompt_key, prompt_vectors, prompts_by_label

SHARED = Path(os.environ.get("OVERREAD_SHARED", Path(__file__).parents[3] / "shared")) / "data"
CARDS = find_cards(Settings(models=STARTER, cache=STARTER / "none"))
KNOWN = {*domains(), *(domain.modality for domain in domains().values())}


@pytest.fixture(scope="module")
def identifier() -> DomainIdentifier:
    return domain_identifier(CARDS)


def slice_of(name: str) -> NDArray[np.uint8]:
    """A slice that comes with pydicom, in a window of its own range."""
    values = dcmread(get_testdata_file(name)).pixel_array.astype(np.float64)
    low, high = np.percentile(values, [0.5, 99.5])
    grey = np.clip((values - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def check(decision: DomainDecision) -> None:
    assert 0 <= decision.probability <= 1
    assert all(0 <= other.probability <= 1 and other.label in KNOWN for other in decision.alternatives)
    assert decision.accepted == (decision.label is not None) == (decision.reason is None)
    assert decision.label is None or decision.label in KNOWN
    assert decision.embedding.dtype == np.float32
    assert decision.embedding.shape == (384,)
    assert np.linalg.norm(decision.embedding) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", ["chelsea", "coffee", "astronaut"])
def test_photographs_never_trained_on_are_refused(identifier: DomainIdentifier, name: str) -> None:
    (decision,) = identifier.identify([getattr(data, name)()])
    check(decision)
    assert not decision.accepted
    assert decision.reason


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((100, 120, 3), dtype=np.uint8),
        np.full((64, 64, 3), 255, dtype=np.uint8),
        np.full((1, 1, 3), 90, dtype=np.uint8),
        np.random.default_rng(0).integers(0, 256, (300, 200, 3), dtype=np.uint8),
        np.random.default_rng(1).integers(0, 2, (128, 128, 1), dtype=np.uint8).repeat(3, axis=2) * 255,
    ],
    ids=["black", "white", "one pixel", "coloured noise", "black and white noise"],
)
def test_blank_pictures_and_noise_are_refused(identifier: DomainIdentifier, image: NDArray[np.uint8]) -> None:
    (decision,) = identifier.identify([image])
    check(decision)
    assert not decision.accepted


@pytest.mark.parametrize("change", ["truncate", "rotate", "invert", "mirror", "tiny"])
def test_a_changed_image_is_answered(identifier: DomainIdentifier, change: str) -> None:
    image = slice_of("CT_small.dcm")
    changed = {
        "truncate": image[:30],
        "rotate": np.rot90(image),
        "invert": 255 - image,
        "mirror": image[:, ::-1],
        "tiny": image[::40, ::40],
    }[change]
    (decision,) = identifier.identify([changed])
    check(decision)


def test_a_batch_says_the_same_as_one_by_one(identifier: DomainIdentifier) -> None:
    images = [data.retina(), slice_of("CT_small.dcm"), data.immunohistochemistry()]
    together = identifier.identify(images)
    for image, one in zip(images, together, strict=True):
        (alone,) = identifier.identify([image])
        assert alone.label == one.label
        assert alone.probability == pytest.approx(one.probability, abs=1e-3)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))))
def test_whatever_comes_in_the_decision_is_whole(identifier: DomainIdentifier, image: NDArray[np.uint8]) -> None:
    (decision,) = identifier.identify([image])
    check(decision)


@pytest.mark.parametrize(
    "image",
    [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.float32), np.zeros((0, 8, 3), np.uint8)],
    ids=["grey", "float", "empty"],
)
def test_an_array_of_another_kind_is_a_tool_error(identifier: DomainIdentifier, image: NDArray[np.uint8]) -> None:
    with pytest.raises(ToolError, match="uint8"):
        identifier.identify([image])


def test_no_images_give_no_decisions(identifier: DomainIdentifier) -> None:
    assert identifier.identify([]) == []


def test_the_identifier_is_loaded_once() -> None:
    assert domain_identifier(CARDS) is domain_identifier(dict(CARDS))


def test_a_missing_card_is_a_card_error() -> None:
    with pytest.raises(CardError, match="no card named"):
        domain_identifier({})


def test_weights_that_were_altered_are_a_card_error(tmp_path: Path) -> None:
    folder = tmp_path / "domain-clip"
    shutil.copytree(STARTER / "domain-clip", folder)
    path = folder / "weights.safetensors"
    bytes_ = bytearray(path.read_bytes())
    bytes_[len(bytes_) // 2] ^= 255
    path.write_bytes(bytes_)
    with pytest.raises(CardError, match="SHA-256"):
        domain_identifier({"domain-clip": read_card(folder / "card.yaml")})


def test_a_card_without_calibration_is_a_card_error() -> None:
    file = CARDS["domain-clip"]
    bare = CardFile(card=file.card.model_copy(update={"calibration": {}, "version": "none"}), folder=file.folder)
    with pytest.raises(CardError, match="calibration"):
        DomainIdentifier(bare)


def test_every_shipped_prompt_has_its_vector_beside_the_weights(identifier: DomainIdentifier) -> None:
    from tools.weights import read_weights

    tensors, _ = read_weights(CARDS["domain-clip"])
    flat = [prompt for prompts in prompts_by_label().values() for prompt in prompts]
    assert {f"prompt.{prompt_key(prompt)}" for prompt in flat} <= set(tensors)
    fresh = prompt_vectors(flat[:3], {})
    stored = np.stack([tensors[f"prompt.{prompt_key(prompt)}"].numpy() for prompt in flat[:3]])
    assert np.abs((fresh * stored).sum(axis=1) - 1).max() < 1e-3


def test_no_kind_is_both_medical_and_not() -> None:
    assert not set(domains()) & set(not_medical())


@pytest.mark.skipif(not (SHARED / "images.csv").is_file(), reason="the data to measure on is not on this machine")
def test_sources_never_learned_from(identifier: DomainIdentifier) -> None:
    from training.pictures import read_pictures

    pictures = read_pictures(SHARED, ["cxr_cohen", "ct_abdomen_kits", "fundus_drive"])[::4]
    images = []
    for picture in pictures:
        with Image.open(picture.path) as image:
            images.append(np.asarray(image.convert("RGB")))
    decisions = identifier.identify(images)
    taken = [(d, p) for d, p in zip(decisions, pictures, strict=True) if d.accepted]
    assert len(taken) >= 0.75 * len(pictures)
    right = [d.label is not None and (p.set.domain or "").startswith(d.label.split("/")[0]) for d, p in taken]
    assert sum(right) >= 0.93 * len(taken)
