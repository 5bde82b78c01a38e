"""However a text is cut into pieces, it ends at the same place."""

from hypothesis import given
from hypothesis import strategies as st

from serve.api.stops import Stops

TEXT = st.text("abc", max_size=24)


def told(pieces: list[str], stops: list[str]) -> str:
    ends = Stops(stops)
    return "".join(map(ends.take, pieces)) + ends.rest()


@given(st.lists(TEXT, max_size=8), st.lists(st.text("abc", min_size=1, max_size=4), max_size=3))
def test_the_pieces_end_where_the_whole_does(pieces: list[str], stops: list[str]) -> None:
    whole = "".join(pieces)
    found = [at for stop in stops if (at := whole.find(stop)) >= 0]
    assert told(pieces, stops) == whole[: min(found, default=len(whole))]


def test_a_long_stop_that_begins_first_wins_over_a_short_one() -> None:
    assert told(["xabc", "d"], ["abcd", "bc"]) == "x"
    assert told(["xabc", "e"], ["abcd", "bc"]) == "xa"
