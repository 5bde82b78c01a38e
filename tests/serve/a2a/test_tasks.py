"""What is remembered of tasks, and for how long."""

import pytest
from a2a.server.context import ServerCallContext
from a2a.types.a2a_pb2 import ListTasksRequest, Task

from serve.a2a import tasks
from serve.a2a.tasks import Owner, Tasks


def of(owner: str) -> ServerCallContext:
    return ServerCallContext(user=Owner(owner))


async def test_an_owners_oldest_tasks_go_and_nobody_elses() -> None:
    kept = Tasks()
    await kept.save(Task(id="other"), of("bob"))
    for number in range(tasks.MOST_PER_OWNER + 3):
        await kept.save(Task(id=f"task-{number}"), of("alice"))
    assert await kept.get("task-2", of("alice")) is None
    assert await kept.get("task-3", of("alice")) is not None
    assert await kept.get("other", of("bob")) is not None
    assert await kept.get("other", of("alice")) is None


async def test_a_task_goes_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(tasks.time, "monotonic", lambda: now)
    kept = Tasks()
    await kept.save(Task(id="a"), of("alice"))
    now += tasks.KEEP_S - 1
    assert await kept.get("a", of("alice")) is not None
    now += 2
    assert await kept.get("a", of("alice")) is None
    assert (await kept.list(ListTasksRequest(), of("alice"))).total_size == 0


async def test_a_deleted_task_is_gone() -> None:
    kept = Tasks()
    await kept.save(Task(id="a"), of("alice"))
    await kept.delete("a", of("bob"))
    assert await kept.get("a", of("alice")) is not None
    await kept.delete("a", of("alice"))
    assert await kept.get("a", of("alice")) is None
