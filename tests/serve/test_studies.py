"""Stored studies by themselves."""

import io
from pathlib import Path

import pytest

from overread.settings import Settings
from serve.errors import NoStudyError, StudiesError
from serve.studies import Studies


def studies(tmp_path: Path, **more: float) -> Studies:
    return Studies(Settings(state=tmp_path, max_file_bytes=10, studies_per_key=2, **more))  # type: ignore[arg-type]


def test_a_study_is_its_owners_alone(tmp_path: Path) -> None:
    kept = studies(tmp_path)
    id_ = kept.add("a", io.BytesIO(b"pixels"))
    assert kept.path("a", id_).read_bytes() == b"pixels"
    for owner, other in (("b", id_), ("a", "0" * 32), ("a", f"../studies/{id_}"), ("a", ""), ("a", id_ + "\n")):
        with pytest.raises(NoStudyError):
            kept.path(owner, other)
    with pytest.raises(NoStudyError):
        kept.remove("b", id_)
    kept.remove("a", id_)
    assert list((tmp_path / "studies").iterdir()) == []


def test_too_large_too_many_and_empty_leave_nothing(tmp_path: Path) -> None:
    kept = studies(tmp_path)
    for data in (b"", b"x" * 11):
        with pytest.raises(StudiesError):
            kept.add("a", io.BytesIO(data))
    assert list((tmp_path / "studies").iterdir()) == []
    kept.add("a", io.BytesIO(b"1"))
    kept.add("a", io.BytesIO(b"2"))
    with pytest.raises(StudiesError):
        kept.add("a", io.BytesIO(b"3"))
    kept.add("b", io.BytesIO(b"3"))


def test_after_its_time_a_study_is_not_found_and_the_sweeper_deletes_it(tmp_path: Path) -> None:
    fresh, over = studies(tmp_path), studies(tmp_path, studies_keep_h=1e-9)
    stays, goes = fresh.add("a", io.BytesIO(b"1")), over.add("a", io.BytesIO(b"2"))
    with pytest.raises(NoStudyError):
        fresh.path("a", goes)
    assert fresh.sweep() == [goes]
    assert [entry.name for entry in (tmp_path / "studies").iterdir()] == [stays]


def test_one_broken_record_hides_no_other(tmp_path: Path) -> None:
    kept = studies(tmp_path)
    broken, whole = kept.add("a", io.BytesIO(b"1")), kept.add("a", io.BytesIO(b"2"))
    (tmp_path / "studies" / broken / "record.json").write_text("{")
    assert [stored.id for stored in kept.of("a")] == [whole]
