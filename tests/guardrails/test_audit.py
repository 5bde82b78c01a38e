import json
import multiprocessing
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardrails.audit import AuditLog, find, verify
from guardrails.chain import walk
from guardrails.errors import AuditError


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    return AuditLog(tmp_path / "state")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[AuditLog, bytes]:
    """A log of seven entries, and its bytes. The head stays as it is; tests write the log anew."""
    log = AuditLog(tmp_path_factory.mktemp("state"))
    for number in range(7):
        log.append({"run": f"run-{number}", "text": 'ä\n"\r\u2028' * number, "p": 0.1 * number})
    return log, log.path.read_bytes()


def clean(log: AuditLog) -> bool:
    seen = verify(log.path)
    return not seen.problems and not seen.notes


def test_a_log_as_it_was_written_is_clean(written: tuple[AuditLog, bytes]) -> None:
    log, data = written
    log.path.write_bytes(data)
    seen = verify(log.path)
    assert (seen.count, seen.problems, seen.notes) == (7, [], [])


def test_the_files_are_their_owners_alone(log: AuditLog) -> None:
    log.keyed("a question")
    log.append({})
    for name in ("audit.jsonl", "audit.head", "audit.key"):
        assert (log.path.parent / name).stat().st_mode & 0o777 == 0o600, name
    assert log.path.parent.stat().st_mode & 0o777 == 0o700
    assert {path.name for path in log.path.parent.iterdir()} == {"audit.jsonl", "audit.head", "audit.key"}


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_every_edit_of_bytes_is_found(written: tuple[AuditLog, bytes], data: st.DataObject) -> None:
    log, whole = written
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 400)))
    put = data.draw(st.one_of(st.binary(max_size=8), st.sampled_from([b"\n", b"\r\n", whole[:300], b"{}\n"])))
    edited = whole[:start] + put + whole[end:]
    log.path.write_bytes(edited)
    assert clean(log) == (edited == whole)


@settings(max_examples=200)
@given(st.data())
def test_every_change_of_lines_is_a_problem(written: tuple[AuditLog, bytes], data: st.DataObject) -> None:
    """Any lines left out, doubled or put in another order: any sequence of the lines but the one written."""
    log, whole = written
    lines = whole.splitlines(keepends=True)
    assert len(lines) == 7
    chosen = data.draw(
        st.one_of(st.permutations(range(7)), st.lists(st.integers(0, 6), max_size=9), st.integers(0, 6).map(range))
    )
    log.path.write_bytes(b"".join(lines[i] for i in chosen))
    assert bool(verify(log.path).problems) == (list(chosen) != list(range(7)))


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ([0, 1, 2, 4, 5, 6], "before line 4, 1 line is missing"),
        ([0, 2, 1, 3, 4, 5, 6], "line 3 is out of order: it was written as entry 2"),
        ([0, 1, 2, 3, 4, 5], "cut at the end: 1 line is missing of the 7"),
        ([0, 1, 1, 2, 3, 4, 5, 6], "line 3 is out of order"),
    ],
)
def test_a_change_is_told_for_what_it_is(written: tuple[AuditLog, bytes], order: list[int], said: str) -> None:
    log, whole = written
    lines = whole.splitlines(keepends=True)
    log.path.write_bytes(b"".join(lines[i] for i in order))
    assert said in "; ".join(verify(log.path).problems)


def test_a_line_changed_with_its_hash_made_right_again_is_found(written: tuple[AuditLog, bytes]) -> None:
    from guardrails.chain import make_line, read_link

    log, whole = written
    lines = whole.splitlines(keepends=True)
    for number in range(7):
        link = read_link(lines[number])
        assert link is not None
        content = {key: value for key, value in link.entry.items() if key not in ("n", "prev")}
        forged, _ = make_line(link.n, link.prev, content | {"run": "another"})
        log.path.write_bytes(b"".join([*lines[:number], forged, *lines[number + 1 :]]))
        (problem,) = verify(log.path).problems
        assert "replaced" in problem or "not the one that the head names" in problem


@settings(max_examples=100)
@given(st.data())
def test_a_head_that_was_changed_is_found(written: tuple[AuditLog, bytes], data: st.DataObject) -> None:
    log, whole = written
    log.path.write_bytes(whole)
    beside = log.path.with_suffix(".head")
    kept = beside.read_bytes()
    try:
        place = data.draw(st.integers(0, len(kept) - 1))
        edited = kept[:place] + data.draw(st.binary(max_size=2)) + kept[place + 1 :]
        beside.write_bytes(edited)
        assert bool(verify(log.path).problems) == (edited != kept)
        beside.unlink()
        assert verify(log.path).problems
    finally:
        beside.write_bytes(kept)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.floats(0, 1), min_size=1, max_size=3))
def test_a_write_that_was_broken_off_is_explained_and_passed_over(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[float]
) -> None:
    """The bytes of a line stop anywhere, before the head is written: what a process leaves that is killed there."""
    log = AuditLog(tmp_path_factory.mktemp("torn"))
    log.append({"run": "first"})
    whole = 1
    for cut in cuts:
        before, head = log.path.read_bytes(), log.path.with_suffix(".head").read_bytes()
        log.append({"run": "killed"})
        added = log.path.read_bytes()[len(before) :]
        kept = round(cut * len(added))
        log.path.write_bytes(before + added[:kept])
        log.path.with_suffix(".head").write_bytes(head)
        whole += kept >= len(added) - 1  # a line that lacks but its end is made whole
        seen = verify(log.path)
        assert not seen.problems
        assert bool(seen.notes) >= (kept > 0)
        log.append({"run": "next"})
        whole += 1
    seen = verify(log.path)
    assert (seen.problems, seen.count) == ([], whole)
    lines = log.path.read_bytes().splitlines(keepends=True)
    for number in range(len(lines)):  # the torn lines are chained too
        assert walk([*lines[:number], b"x" + lines[number], *lines[number + 1 :]]).problems or number == len(lines) - 1


def test_nothing_is_added_to_a_log_that_was_cut(log: AuditLog) -> None:
    log.append({"run": "1"})
    first = log.path.read_bytes()
    log.append({"run": "2"})
    log.path.write_bytes(first)
    for work in (log.prepare, lambda: log.append({"run": "3"})):
        with pytest.raises(AuditError, match="overread audit verify"):
            work()
    assert log.path.read_bytes() == first


def _writer(folder: str, who: int, entries: int) -> None:
    log = AuditLog(Path(folder))
    for number in range(entries):
        log.append({"run": f"{who}-{number}"})


def test_writers_at_once_make_one_chain(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_writer, args=(str(tmp_path), who, 12)) for who in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    seen = verify(tmp_path / "audit.jsonl")
    assert (seen.count, seen.problems, seen.notes) == (48, [], [])
    runs = [json.loads(line)["entry"]["run"] for line in (tmp_path / "audit.jsonl").read_text("utf-8").splitlines()]
    assert len(set(runs)) == 48
    for who in range(4):
        mine = [run for run in runs if run.startswith(f"{who}-")]
        assert mine == [f"{who}-{number}" for number in range(12)]


def test_an_entry_is_found_by_the_beginning_of_its_id(log: AuditLog) -> None:
    ids = [log.append({"run": f"run-{number}"}) for number in range(5)]
    for number, name in enumerate(ids):
        for asked in (name, name[:20], name.removeprefix("sha256:")):
            found = find(log.path, asked)
            assert (found["audit_id"], found["run"], found["n"]) == (name, f"run-{number}", number + 1)
    for wrong in ("sha256:", "abc", "0" * 64, "not hexadecimal"):
        with pytest.raises(AuditError):
            find(log.path, wrong)


def test_keyed_hashes_agree_in_a_folder_and_differ_between_folders(tmp_path: Path) -> None:
    one, again, other = (AuditLog(tmp_path / name) for name in ("a", "a", "b"))
    assert one.keyed("Is it broken?") == again.keyed("Is it broken?") != other.keyed("Is it broken?")
    assert one.keyed("Is it broken?") != one.keyed("Is it broken")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(AuditError, match="OVERREAD_STATE"):
        AuditLog(tmp_path / "state").prepare()


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no folder", "utf-8")
    with pytest.raises(AuditError, match="OVERREAD_STATE"):
        AuditLog(tmp_path / "state").prepare()
    with pytest.raises(AuditError, match="no audit log"):
        verify(tmp_path / "none.jsonl")
