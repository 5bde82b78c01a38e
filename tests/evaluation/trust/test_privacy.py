from dataclasses import replace

from evaluation.trust.bench import Bench
from evaluation.trust.privacy import privacy
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
