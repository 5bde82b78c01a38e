"""Rates and places."""

import asyncio

import pytest

from overread.settings import Settings
from serve.api.admission import Admission
from serve.api.metrics import Metrics
from serve.errors import ApiError


def admission(**more: float) -> Admission:
    return Admission(Settings(**more), Metrics())  # type: ignore[arg-type]


def test_a_rate_is_each_keys_own() -> None:
    doors = admission(api_rate=2)
    doors.count("a")
    doors.count("a")
    with pytest.raises(ApiError) as told:
        doors.count("a")
    assert told.value.status == 429
    assert 0 < (told.value.retry_after_s or 0) <= 30
    doors.count("b")


async def test_places_run_out_for_a_key_and_for_all() -> None:
    doors = admission(api_runs_per_key=1, api_runs=2)
    async with doors.place("a"):
        with pytest.raises(ApiError) as own:
            async with doors.place("a"):
                pass
        async with doors.place("b"):
            with pytest.raises(ApiError) as all_:
                async with doors.place("c"):
                    pass
        assert (own.value.status, all_.value.status) == (429, 503)
        assert all_.value.retry_after_s
    async with doors.place("a"):
        pass


async def test_who_asks_again_while_the_place_is_being_left_is_let_in() -> None:
    doors = admission(api_runs_per_key=1)
    inside, leave = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with doors.place("a"):
            inside.set()
            await leave.wait()

    running = asyncio.create_task(first())
    await inside.wait()
    asyncio.get_running_loop().call_later(0.01, leave.set)
    async with doors.place("a"):
        assert running.done() or leave.is_set()
    await running


async def test_images_take_turns_and_text_does_not() -> None:
    doors = admission(api_image_runs=1, api_wait_s=0.05)
    async with doors.turn(True):
        async with doors.turn(False):
            pass
        with pytest.raises(ApiError) as told:
            async with doors.turn(True):
                pass
        assert told.value.status == 503
    await asyncio.wait_for(doors.turn(True).__aenter__(), 1)
