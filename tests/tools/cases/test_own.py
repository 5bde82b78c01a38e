import multiprocessing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tools.cases.index import CaseEntry
from tools.cases.own import OwnCases
from tools.errors import CaseIndexError

DOMAINS = ("ct/head", "fundus")


def unit(seed: int) -> np.ndarray:
    vector = np.random.default_rng(seed).normal(size=16)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


class Cases(RuleBasedStateMachine):
    """Whatever is added and removed, a search gives what brute force over the cases that are left gives."""

    @initialize()
    def empty(self) -> None:
        from tempfile import mkdtemp

        self.folder = Path(mkdtemp())
        self.own = OwnCases(self.folder)
        self.there: dict[str, tuple[CaseEntry, np.ndarray]] = {}
        self.gone: list[tuple[CaseEntry, np.ndarray]] = []

    @rule(seed=st.integers(0, 50), domain=st.sampled_from(DOMAINS), label=st.sampled_from(["drusen", "normal"]))
    def add(self, seed: int, domain: str, label: str) -> None:
        entry = self.own.add(unit(seed), label, domain, "tower")
        self.there[entry.id] = entry, unit(seed).astype(np.float16)

    @precondition(lambda self: self.there)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        case_id = data.draw(st.sampled_from(sorted(self.there)))
        assert self.own.remove(case_id).id == case_id
        self.gone.append(self.there.pop(case_id))

    @rule()
    def another_process(self) -> None:
        self.own = OwnCases(self.folder)

    @invariant()
    def search_is_brute_force(self) -> None:
        stored = self.own.stored()
        for domain in DOMAINS:
            known = [
                (entry.id, float(v.astype(np.float32) @ unit(77)))
                for entry, v in self.there.values()
                if entry.domain == domain
            ]
            expected = sorted((score for _, score in known), reverse=True)[:5]
            found = stored.index.search(unit(77), domain, 5) if stored else []
            assert np.allclose([near.similarity for near in found], expected, atol=1e-5)
            assert {near.entry.id for near in found} <= {case_id for case_id, _ in known}

    @invariant()
    def what_is_removed_is_not_on_disk(self) -> None:
        written = b"".join(file.read_bytes() for file in self.folder.iterdir())
        left = [vector.tobytes() for _, vector in self.there.values()]
        for entry, vector in self.gone:
            assert entry.id.encode() not in written
            assert vector.tobytes() in left or vector.tobytes() not in written


Cases.TestCase.settings = settings(deadline=None, max_examples=15, stateful_step_count=15)
test_any_sequence = Cases.TestCase


def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    OwnCases(tmp_path / "cases").add(unit(1), "drusen", "fundus", "tower")
    assert (tmp_path / "cases").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "cases" / "cases.safetensors").stat().st_mode & 0o777 == 0o600


def test_ids_cannot_be_guessed(tmp_path: Path) -> None:
    own = OwnCases(tmp_path)
    ids = {own.add(unit(seed), "drusen", "fundus", "tower").id for seed in range(20)}
    assert len(ids) == 20
    assert all(len(one) == 16 for one in ids)


def test_the_same_case_is_added_once(tmp_path: Path) -> None:
    own = OwnCases(tmp_path)
    assert own.add(unit(1), "drusen", "fundus", "t") == own.add(unit(1), "drusen", "fundus", "t")
    assert own.add(unit(1), "normal", "fundus", "t").label == "normal"
    assert len(own.entries()) == 2


@pytest.mark.parametrize("label", ["", " ", "x" * 61, "a\nb", "<b>", 'a "quoted" word', "-"])
def test_what_is_no_label(tmp_path: Path, label: str) -> None:
    with pytest.raises(CaseIndexError, match="label"):
        OwnCases(tmp_path).add(unit(1), label, "fundus", "tower")


def test_another_tower_is_not_mixed_in(tmp_path: Path) -> None:
    own = OwnCases(tmp_path)
    own.add(unit(1), "drusen", "fundus", "tower")
    with pytest.raises(CaseIndexError, match="another image tower"):
        own.add(unit(2), "drusen", "fundus", "new tower")


def test_what_is_not_there_cannot_be_removed(tmp_path: Path) -> None:
    with pytest.raises(CaseIndexError, match="overread cases list"):
        OwnCases(tmp_path).remove("0123456789abcdef")


def _add(folder: Path, first: int) -> None:
    own = OwnCases(folder)
    for seed in range(first, first + 10):
        own.add(unit(seed), "drusen", "fundus", "tower")


def test_processes_do_not_lose_each_others_cases(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_add, args=(tmp_path, first)) for first in (0, 10, 20)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(OwnCases(tmp_path).entries()) == 30
