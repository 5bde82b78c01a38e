import gc
from collections.abc import Iterator

import pytest

from overread import collector


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_a_server_that_is_ready_looks_for_garbage_as_usual_and_not_at_what_stays() -> None:
    collector.loading()
    assert gc.get_threshold() == collector.LOADING
    kept = [object() for _ in range(10)]
    collector.loaded()
    assert gc.get_threshold() == collector.USUAL
    assert gc.get_freeze_count() > len(kept)


def test_what_is_left_at_the_end_is_not_gone_through() -> None:
    collector.ending()
    assert gc.get_freeze_count() > 1000
