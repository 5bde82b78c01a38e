"""Whose step comes next."""

import asyncio
import threading

from agent.lane import FIRST, Lane


async def test_what_is_first_goes_first_then_the_oldest() -> None:
    lane, done, gate, busy = Lane(threads=1), [], threading.Event(), threading.Event()

    def hold() -> None:
        busy.set()
        gate.wait()

    held = asyncio.create_task(lane.run(FIRST, hold))
    await asyncio.to_thread(busy.wait)
    waiting = [asyncio.create_task(lane.run(order, done.append, order)) for order in (30.0, 10.0, FIRST, 20.0)]
    left = asyncio.create_task(lane.run(5.0, done.append, 5.0))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.wait([left])
    gate.set()
    await asyncio.gather(held, *waiting)
    assert done == [FIRST, 10.0, 20.0, 30.0]


async def test_what_a_step_raises_is_raised_where_it_is_waited_for() -> None:
    lane = Lane()
    try:
        await lane.run(FIRST, int, "x")
    except ValueError:
        return
    raise AssertionError
