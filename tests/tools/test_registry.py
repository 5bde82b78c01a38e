from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overread.cards import STARTER, CardFile, find_cards
from overread.domains import covered, domains
from overread.errors import CardError
from overread.records import Context
from overread.settings import Settings
from tools.contract import ToolImage
from tools.errors import ToolError
from tools.registry import ToolRegistry

CARDS = find_cards(Settings(models=STARTER, cache=STARTER / "none"))
REGISTRY = ToolRegistry(CARDS)
LABELS = sorted({*domains(), *(domain.modality for domain in domains().values())})


@given(st.sampled_from(LABELS))
def test_only_tools_whose_card_names_the_domain_are_given(domain: str) -> None:
    given_tools = {tool.name for tool in REGISTRY.tools_for(domain)}
    for tool in REGISTRY.all():
        assert (tool.name in given_tools) == covered(tool.card.domains, domain)


@pytest.mark.parametrize("domain", [label for label in LABELS if label != "xray/chest"])
def test_a_tool_refuses_a_domain_its_card_does_not_name(domain: str) -> None:
    image = ToolImage(np.zeros((8, 8, 3), dtype=np.uint8), domain, Context())
    with pytest.raises(ToolError, match="card does not name"):
        REGISTRY.get("chest-findings-child").run([image])


def test_chest_x_rays_reach_both_classifiers() -> None:
    assert {tool.name for tool in REGISTRY.tools_for("xray/chest")} >= {"chest-findings-child", "chest-findings-adult"}
    assert [tool.name for tool in REGISTRY.tools_for("xray") if tool.name.startswith("chest")] == []


def test_the_domain_identifier_is_no_tool() -> None:
    assert "domain-clip" in CARDS
    with pytest.raises(ToolError, match="no tool of that name"):
        REGISTRY.get("domain-clip")


def test_an_unknown_architecture_is_a_card_error() -> None:
    file = CARDS["chest-findings-child"]
    strange = CardFile(card=file.card.model_copy(update={"architecture": "oracle"}), folder=Path("nowhere"))
    with pytest.raises(CardError, match="architecture"):
        ToolRegistry({"strange": strange})
