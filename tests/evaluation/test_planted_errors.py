"""The planted-error set is what it says, and the checks do on it what the documents say."""

from functools import cache

import pytest

from evaluation.planted_errors import FILES, HALVES, Half, Row, figures, rows_in, rows_of, wilson


@cache
def rows(half: Half) -> tuple[Row, ...]:
    return tuple(rows_of(half))


def test_the_halves_share_no_template() -> None:
    ours, theirs = ({row.template for row in rows(half)} for half in HALVES)
    assert not {one for one in ours & theirs if "[" in one}
    assert not set(FILES["developing"]) & set(FILES["reporting"])


@pytest.mark.parametrize("half", HALVES)
def test_a_half_holds_five_hundred_of_each(half: Half) -> None:
    false = [row for row in rows(half) if row.kind]
    assert len(false) >= 500
    assert len(rows(half)) - len(false) >= 500
    assert len({row.kind for row in false}) == {"developing": 19, "reporting": 14}[half]
    assert not any("{" in row.text for row in rows(half))


def test_the_same_seed_gives_the_same_rows() -> None:
    again = [(row.text, row.kind) for row in rows_of("reporting")]
    assert again == [(row.text, row.kind) for row in rows("reporting")]


def test_the_developing_half_passes() -> None:
    found = {one["kind"]: one["stopped"] for one in figures(rows("developing"))}
    assert found["all errors"] >= 0.995
    assert found["true sentences withheld"] <= 0.08  # most of it paraphrases of passages


def test_sentences_of_the_checks_own_author_pass() -> None:
    names = ["developing", *(f"developing_{which}" for which in ("more", "third", "fourth", "fifth"))]
    found = {one["kind"]: one["stopped"] for one in figures(row for name in names for row in rows_in(name))}
    assert found["all errors"] >= 0.995
    assert found["true sentences withheld"] <= 0.02


def test_the_reporting_half_does_not_fall_behind() -> None:
    found = {one["kind"]: one["stopped"] for one in figures(rows("reporting"))}
    assert found["all errors"] >= 0.98
    assert found["true sentences withheld"] <= 0.21  # the aim is 0.05: see docs/guardrails.md


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (5, 10), (10, 10), (0, 0), (950, 1000)])
def test_wilson_holds_the_share(hits: int, n: int) -> None:
    low, high = wilson(hits, n)
    assert 0 <= low <= (hits / n if n else 0) + 1e-9
    assert (hits / n if n else 1) - 1e-9 <= high <= 1
