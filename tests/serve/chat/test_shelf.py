"""What opened studies may take, and what becomes of their files."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.opening import open_study
from agent.parts import Parts
from overread.settings import Settings
from serve.chat.samples import samples
from serve.chat.shelf import Room, Shelf


@dataclass
class Sized:
    """Stands for an opened study: its handle and what it takes. Nothing else is asked of one here."""

    handle: str
    held_bytes: int = field(default=10)


def put(shelf: Shelf, handle: str, held: int = 10, on_disk: int = 0) -> Path | None:
    files = None
    if on_disk:
        files = shelf.place()
        (files / "study").write_bytes(b"x" * on_disk)
    opened: Any = Sized(handle, held)
    assert shelf.put(opened, files, shelf.era)
    return files


def room(each: int, all_: int) -> Room:
    return Room(Settings(page_visitor_bytes=each, page_bytes=all_))


def test_the_oldest_go_with_their_files_and_it_is_counted(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, room(100, 1000))
    first = put(shelf, "a", 10, 40)
    put(shelf, "b", 40)
    assert list(shelf.studies) == ["a", "b"]
    put(shelf, "c", 40)
    assert list(shelf.studies) == shelf.waiting == ["b", "c"]
    assert first is not None
    assert not first.exists()
    assert shelf.put_away == 1


def test_what_a_run_is_about_stays_and_is_the_youngest(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, room(100, 1000))
    put(shelf, "a", 50)
    taken = shelf.take()
    assert shelf.waiting == []
    put(shelf, "b", 40)
    put(shelf, "c", 40)
    assert list(shelf.studies) == ["a", "c"]
    shelf.give_back(taken)
    put(shelf, "d", 40)
    assert list(shelf.studies) == ["c", "d"]


def test_all_visitors_together_are_bound_and_conversations_of_one_share_his(tmp_path: Path) -> None:
    shared = room(60, 100)
    mine, other, yours = (Shelf(tmp_path, shared, owner) for owner in ("me", "me", "you"))
    put(mine, "a", 50)
    put(yours, "b", 50)
    put(other, "c", 50)
    assert (list(mine.studies), list(yours.studies), list(other.studies)) == ([], ["b"], ["c"])
    put(yours, "d", 60)
    assert (list(other.studies), list(yours.studies)) == ([], ["d"])


def test_what_was_begun_before_everything_was_deleted_is_not_kept(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, room(100, 100))
    era, files = shelf.era, shelf.place()
    shelf.clear()
    opened: Any = Sized("a")
    assert not shelf.put(opened, files, era)
    assert not shelf.studies
    assert not files.exists()


Step = tuple[int, int, int, int]


@given(steps=st.lists(st.tuples(*(st.integers(0, 3), st.integers(0, 2), st.integers(0, 60), st.integers(0, 60)))))
def test_it_is_never_over_its_bounds_and_leaves_no_file_behind(steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as name:
        shared, folder = room(100, 150), Path(name)
        shelves = [Shelf(folder, shared, owner) for owner in ("x", "x", "y")]
        for n, (what, which, held, on_disk) in enumerate(steps):
            shelf = shelves[which]
            if what == 0 and shelf.studies:
                shelf.remove(next(iter(shelf.studies)))
            elif what == 1:
                shelf.clear()
            else:
                put(shelf, str(n), held, on_disk)
                newest = held + on_disk
                assert shared.held(shelf.owner) <= max(100, newest)
                assert shared.held() <= max(150, newest)
            kept = sum(len(one.studies) for one in shelves)
            assert len(list(folder.iterdir())) <= kept
        for shelf in shelves:
            shelf.clear()
        assert shared.held() == 0
        assert not list(folder.iterdir())


@pytest.mark.parametrize("name", ["ct-slice", "retina"])
def test_a_real_study_says_what_it_takes(name: str, tmp_path: Path) -> None:
    next(one for one in samples() if one.name == name).write(tmp_path)
    opened = open_study(tmp_path / "000000", Parts(Settings(llm_base_url=None)))
    assert opened.held_bytes >= opened.display(0).nbytes / 3
