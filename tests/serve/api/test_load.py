"""Many at once: all are answered, nobody meets what is not his own, and whoever reads slowly or leaves hurts nobody.

No bar here is a time of this machine: a short version of ``overread bench serve`` and ``make soak``.
"""

import statistics
from typing import Any

from evaluation.serve_load import Server, burst, guards_share
from evaluation.soak import fuzz, soak


def server(api: Any) -> Server:
    return Server(api.url, key=api.alice, pid=api.pid, log=api.log)


async def test_many_streams_are_answered_and_hear_soon_that_they_are(api: Any) -> None:
    told = await burst(server(api), 32, 1)
    assert [one.fault for one in told if one.fault] == []
    first = statistics.median(one.first_s for one in told if one.first_s is not None)
    assert first < 0.6 * max(one.whole_s for one in told)
    assert 0 < (guards_share(told).value or 0) < 1


async def test_two_users_soak_among_slow_readers_and_leavers(api: Any) -> None:
    figures = {figure.name: figure for figure in await soak(server(api), {"alice": api.alice, "bob": api.bob}, 24, 8)}
    # So few requests say nothing of memory.
    missed = [figure for name, figure in figures.items() if figure.met is False and not name.startswith("growth")]
    assert missed == []
    assert figures["slow readers who were cut off"].n > 0


def test_the_description_of_the_api_is_true(api: Any) -> None:
    status, told = fuzz(server(api), api.alice, examples=2, phases="coverage")
    assert status == 0, told
    assert "passed" in told
