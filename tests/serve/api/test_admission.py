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


def test_places_run_out_for_a_key_and_for_all() -> None:
    doors = admission(api_runs_per_key=1, api_runs=2)
    with doors.place("a"):
        with pytest.raises(ApiError) as own, doors.place("a"):
            pass
        with doors.place("b"), pytest.raises(ApiError) as all_, doors.place("c"):
            pass
        assert (own.value.status, all_.value.status) == (429, 503)
        assert all_.value.retry_after_s
    with doors.place("a"):
        pass


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
