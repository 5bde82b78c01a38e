"""What came out of a stream is counted right, and the gate lets nothing out; the peers, where they are installed."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.guardrails_bench import Marked
from evaluation.peers import Passed, Peer, by_gate, by_peer, contender_figures, let_out, read_peers, streams, why_absent
from overread.settings import settings as overread_settings

ROWS = [
    Marked("Seen by Dr. Smith on May 3. He lives in Boston, MA.", ((8, 17, "WHO"), (21, 26, "DATE"), (40, 50, "AREA"))),
    Marked("Pain since May 3. A normal chest.", ((11, 16, "DATE"),)),
]  # fmt: skip


def test_a_stream_is_its_text_token_by_token() -> None:
    (stream,) = streams(ROWS)
    assert "".join(stream.tokens) == stream.text
    assert [stream.text[a:b] for a, b in stream.entities] == ["Dr. Smith", "May 3", "Boston, MA", "May 3"]


@pytest.mark.parametrize(
    ("shown", "letters"),
    [
        ("Seen by [REMOVED] on [REMOVED]. He lives in [REMOVED]. Pain since [REMOVED]. A normal chest.", [0, 0, 0, 0]),
        ("Seen by Dr. Smith on [REMOVED]. He lives in [REMOVED].", [7, 0, 0, 0]),
        ("Seen by Dr. Smi", [5, 0, 0, 0]),
        ("", [0, 0, 0, 0]),
        ("Seen by [REMOVED] on [REMOVED]. He lives in Boston, MA. Pain since [REMOVED]. A", [0, 0, 8, 0]),
    ],
)
def test_letters_that_came_out_are_counted(shown: str, letters: list[int]) -> None:
    (stream,) = streams(ROWS)
    assert let_out(stream, shown) == letters


def test_what_is_not_of_the_stream_is_not_counted_as_nothing() -> None:
    (stream,) = streams(ROWS)
    with pytest.raises(RuntimeError, match="cannot be counted"):
        let_out(stream, "Something else")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(ROWS), min_size=1, max_size=8))
def test_the_gate_lets_no_letter_out_and_everything_else(rows: list[Marked]) -> None:
    (stream,) = streams(rows)
    passed = by_gate(stream)
    assert not any(let_out(stream, "".join(text for _, text in passed.shown)))
    shares = contender_figures("gate", [stream], [passed])
    assert (shares[0].value, shares[1].value) == (0, 1)
    assert shares[0].n == len(stream.entities)


def test_a_contender_that_shows_everything_is_told_so() -> None:
    (stream,) = streams(ROWS)
    figures = contender_figures("none", [stream], [Passed(((1, stream.text),), 0.0)])
    assert figures[0].value == 1
    assert figures[0].n == 4


def test_a_peer_that_is_not_there_is_told_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERREAD_CACHE", str(tmp_path))
    overread_settings.cache_clear()
    try:
        reasons = [why_absent(peer, install=False) for peer in read_peers()]
    finally:
        monkeypatch.undo()
        overread_settings.cache_clear()
    assert all(reason is not None and "is not installed" in reason for reason in reasons)
    assert {peer.package for peer in read_peers()} == {"nemoguardrails", "guardrails-ai"}


@pytest.mark.parametrize("peer", read_peers(), ids=lambda peer: peer.title)
def test_a_peer_that_is_there_answers_each_stream(peer: Peer) -> None:
    absent = why_absent(peer, install=False)
    if absent is not None:
        pytest.skip(absent)
    some = streams(ROWS)
    (passed,) = by_peer(peer, some)
    let_out(some[0], "".join(text for _, text in passed.shown))
    assert passed.seconds > 0
