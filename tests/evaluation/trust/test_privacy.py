from dataclasses import replace
from pathlib import Path

from evaluation.trust.bench import Bench
from evaluation.trust.leaks import Planted
from evaluation.trust.privacy import _through_the_agent, privacy
from overread.cards import find_cards


def test_planted_identity_comes_out_of_no_interface(bench: Bench) -> None:
    every = replace(bench, cards=find_cards(bench.settings), quick=True)
    outcome = privacy(every)
    control, *others = outcome.figures
    assert control.value == 1
    leaks = [one for one in others if one.subject == "interfaces"]
    assert len(leaks) >= 11
    assert {one.name: one.value for one in leaks if one.value} == {}
    assert all("200" in one.note for one in leaks if "deleted" in one.name)


def test_a_value_that_is_said_would_be_seen(bench: Bench, tmp_path: Path) -> None:
    # The words of the answer are no identity, so an interface that says them leaks for certain.
    words = Planted(given="medical", family="image")
    found = _through_the_agent(bench, words, words.dicom(tmp_path / "x.dcm"), tmp_path)
    assert found[0].name.startswith("planted values that came out")
