import json
from pathlib import Path

import pytest

from evaluation.certificates import LAWS, Law, measure, mirage_rows, mirage_table, vote


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_a_certificate_is_broken_no_more_often_than_it_says(law: Law) -> None:
    entry = measure(law, 300, 0.1, 0.1, draws=150)
    assert entry["broken"] <= entry["bound"]


def test_most_groups_that_can_be_certified_are() -> None:
    entries = [measure(law, 500, 0.1, 0.1, draws=60) for law in LAWS if law.certifiable(0.1)]
    assert len(entries) >= 3
    assert all(entry["certified"] > 0.5 for entry in entries)


def test_a_missing_answer_matches_nothing() -> None:
    names = ("rag_32:gpt-4-32k", "cot:gpt-4-32k", "rag_32:gpt-35-turbo-16k", "cot:gpt-35-turbo-16k")
    assert vote(dict(zip(names, "AAAA", strict=True))) == ("A", 1.0)
    assert vote(dict(zip(names, ("A", None, "A", "A"), strict=True))) == ("A", 0.75)
    assert vote(dict(zip(names, ("B", "A", "A", "B"), strict=True))) == ("B", 0.5)
    assert vote(dict(zip(names, (None, "C", None, None), strict=True))) == ("C", 0.25)
    assert vote(dict.fromkeys(names)) == (None, 0.0)


def test_mirage_is_certified_per_group(shared_data: Path) -> None:
    table = {entry["group"]: entry for entry in mirage_table(
        mirage_rows(shared_data / "refusal" / "mirage_votes_dev.jsonl"), 0.1, 0.1)}  # fmt: skip
    assert len(table) == 5
    assert sum(entry["n"] for entry in table.values()) == 3052
    assert table["bioasq"]["threshold"] == 1.0
    assert table["pubmedqa"]["threshold"] is None
    json.dumps(list(table.values()))
