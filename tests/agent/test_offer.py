"""What is offered to a language model, and how what it asks for is read: nothing but the offer, whatever it writes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.offer import MOST_ARGUMENTS, Ask, Denied, Offer
from agent.parts import Parts
from agent.state import SeenImage
from overread.domains import covers
from overread.records import Context
from overread.settings import Settings


def image(number: int, domain: str | None, frames: int = 1, **more: Any) -> SeenImage:
    return SeenImage(
        id=f"D{number}", study_id=f"s{number}", frame=0, modality=None, domain=domain, probability=0.9,
        context=Context(), frames=frames, **more,
    )  # fmt: skip


CHEST, BRAIN, SKIN = image(1, "xray/chest"), image(2, "mr/brain", 20), image(3, "dermoscopy")
SIZES = {"D1": (100, 200), "D2": (64, 64), "D3": (50, 60)}


@pytest.fixture(scope="module")
def registry() -> Any:
    return Parts(Settings(llm_base_url=None)).registry()


@pytest.fixture(scope="module")
def offer(registry: Any) -> Offer:
    return Offer([CHEST, BRAIN], SIZES, registry, None, frozenset({("chest-findings-adult", "D1", 0)}))


def schemas(offer: Offer) -> dict[str, Any]:
    return {one["function"]["name"]: one["function"] for one in offer.schemas()}


def test_a_tool_is_offered_for_the_images_of_its_card_alone(offer: Offer, registry: Any) -> None:
    offered = schemas(offer)
    for tool in registry.all():
        fitting = [i.id for i in (CHEST, BRAIN) if any(covers(one, str(i.domain)) for one in tool.card.domains)]
        assert (tool.name in offered) == bool(fitting)
        if fitting:
            told = offered[tool.name]["parameters"]["properties"]["image"]
            assert told.get("enum", [told.get("const")]) == fitting
    assert "dermoscopy-findings" not in offered
    assert "segment" not in offered


def test_only_where_there_are_frames_is_one_asked_for(offer: Offer) -> None:
    offered = schemas(offer)
    assert "frame" not in offered["chest-findings-adult"]["parameters"]["properties"]
    assert offered["brain-mr-findings"]["parameters"]["properties"]["frame"]["maximum"] == 19
    assert "Has run on D1, frame 0." in offered["chest-findings-adult"]["description"]


@pytest.mark.parametrize("seen", [image(1, None), image(1, "xray/chest", prior_of="D9")])
def test_a_refused_image_and_a_prior_are_not_offered(registry: Any, seen: SeenImage) -> None:
    assert set(schemas(Offer([seen], SIZES, registry))) == {"search_knowledge", "write_answer"}


def test_what_has_run_is_not_run_again(offer: Offer) -> None:
    denied = offer.read("chest-findings-adult", '{"image": "D1"}')
    assert isinstance(denied, Denied)
    assert (denied.status, denied.name) == ("skipped", "chest-findings-adult")
    assert isinstance(offer.read("chest-findings-child", '{"image": "D1"}'), Ask)


def test_a_tool_is_not_called_on_an_image_of_another_kind(offer: Offer) -> None:
    assert isinstance(offer.read("chest-findings-child", '{"image": "D2"}'), Denied)
    assert isinstance(offer.read("dermoscopy-findings", '{"image": "D1"}'), Denied)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(["chest-findings-child", "brain-mr-findings", "search_knowledge", "segment"]) | st.text()
almost = st.fixed_dictionaries(
    {"image": st.sampled_from(["D1", "D2", "D3", "d1"]) | values},
    optional={"frame": st.integers(-3, 30) | values, "query": values, "x": values},
)


@given(name=names, arguments=st.text(max_size=200) | values.map(json.dumps) | almost.map(json.dumps))
def test_nothing_but_the_offer_is_ever_asked_for(offer: Offer, registry: Any, name: str, arguments: str) -> None:
    read = offer.read(name, arguments)
    if isinstance(read, Denied):
        assert read.name in {"unknown", *schemas(offer), *(tool.name for tool in registry.all())}
        # Nothing of what was written is repeated, but names of our own fields and images.
        assert len(read.reason) < 120
        return
    if read.image is None:
        assert 2 <= len(read.query) <= 300
        return
    assert read.tool is not None
    assert any(covers(one, str(read.image.domain)) for one in read.tool.card.domains)
    assert 0 <= read.frame < read.image.frames


def test_long_and_deep_arguments_are_denied(offer: Offer) -> None:
    for arguments in ("x" * (MOST_ARGUMENTS + 1), "[" * MOST_ARGUMENTS, '{"image":' * 400):
        denied = offer.read("chest-findings-child", arguments)
        assert isinstance(denied, Denied)
        assert denied.status == "failed"
