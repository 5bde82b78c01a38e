from pathlib import Path

import numpy as np
import pytest

from overread.cards import STARTER, CardFile, find_cards
from overread.errors import CardError
from overread.records import Context
from overread.settings import Settings
from tools.cases.own import OwnCases
from tools.cases.similar import SimilarCases
from tools.contract import ToolImage
from tools.domain import domain_identifier
from tools.errors import CaseIndexError, ToolError

CARDS = find_cards(Settings(models=STARTER, cache=STARTER / "none"))
FILE = CARDS["similar-cases"]
TOWER = CARDS["domain-clip"].card.weights.sha256


def tool(own: Path | None = None, file: CardFile = FILE) -> SimilarCases:
    return SimilarCases(file, lambda: domain_identifier(CARDS), own)


def image(domain: str = "fundus", seed: int = 1) -> ToolImage:
    return ToolImage(np.random.default_rng(seed).integers(0, 255, (40, 50, 3), dtype=np.uint8), domain, Context())


def test_the_starter_index_goes_with_the_starter_tower() -> None:
    assert FILE.card.input["tower"] == TOWER
    assert FILE.weights().stat().st_size < 3_000_000


@pytest.mark.parametrize("domain", ["fundus", "mr/brain", "xray/chest", "histopathology"])
def test_cases_are_of_the_same_domain_and_the_most_alike_come_first(domain: str) -> None:
    made = tool()
    (output,) = made.run([image(domain)])
    known = {entry.id: entry for entry in made.entries()}
    assert len(output.cases) == 5
    assert {known[case.id].domain for case in output.cases} == {domain}
    assert all(known[case.id].label == case.label for case in output.cases)
    scores = [case.similarity for case in output.cases]
    assert scores == sorted(scores, reverse=True)
    assert output.findings == ()


@pytest.mark.parametrize("domain", ["endoscopy", "ct", "ct/chest"])
def test_a_domain_without_cases_is_refused(domain: str) -> None:
    with pytest.raises(ToolError, match="card does not name"):
        tool().run([image(domain)])


def test_a_users_case_is_found_and_its_domain_is_named(tmp_path: Path) -> None:
    made, own = tool(tmp_path), OwnCases(tmp_path)
    vector = domain_identifier(CARDS).embed([image().display])[0]
    entry = own.add(vector, "polyp", "endoscopy", TOWER)
    assert "endoscopy" in made.card.domains
    (output,) = made.run([image("endoscopy")])
    assert [case.id for case in output.cases] == [entry.id]
    assert output.cases[0].similarity > 0.99
    own.remove(entry.id)
    assert "endoscopy" not in made.card.domains


def test_cases_of_another_tower_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    OwnCases(tmp_path).add(np.eye(384, dtype=np.float32)[0], "drusen", "fundus", "older")
    (output,) = tool(tmp_path).run([image()])
    assert len(output.cases) == 5
    assert "another image tower" in (output.reason or "")


def test_an_index_of_another_tower_is_a_card_error() -> None:
    card = FILE.card.model_copy(update={"input": {"tower": "0" * 64, "k": 5}})
    with pytest.raises(CardError, match=r"training\.cases"):
        tool(file=CardFile(card=card, folder=FILE.folder)).run([image()])


def test_a_damaged_file_of_the_user_fails_the_tool_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "cases.safetensors").write_bytes(b"nothing")
    made = tool(tmp_path)
    assert "fundus" in made.card.domains
    with pytest.raises(CaseIndexError, match="cannot be read"):
        made.run([image()])


def test_no_picture_and_no_file_name_is_in_the_starter_index() -> None:
    entries = tool().entries()
    assert len({entry.id for entry in entries}) == len(entries)
    assert all(entry.licence and entry.source and not entry.note for entry in entries)
    assert not any("NC" in entry.licence for entry in entries)
    written = FILE.weights().read_bytes()
    assert not any(word in written for word in (b".png", b".jpg", b".jpeg", b"person", b"IM-0"))
