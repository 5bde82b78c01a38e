"""The tasks that are remembered: in memory, for a while, each for its owner."""

import time
from collections import OrderedDict

from a2a.auth.user import User
from a2a.server.context import ServerCallContext
from a2a.server.tasks import InMemoryTaskStore, TaskStore
from a2a.types.a2a_pb2 import ListTasksRequest, ListTasksResponse, Task

MOST_PER_OWNER = 20
MOST = 400
KEEP_S = 900.0
"""Seconds after its last change for which a task can be asked for."""


class Owner(User):
    """Who asks: the id of a key, or ``local``."""

    def __init__(self, owner: str) -> None:
        self._owner = owner

    @property
    def is_authenticated(self) -> bool:
        """Always: nobody else gets here."""
        return True

    @property
    def user_name(self) -> str:
        """The id."""
        return self._owner


class Tasks(TaskStore):
    """Tasks by their owner. The oldest of an owner go when there are too many, and each after ``KEEP_S``."""

    def __init__(self) -> None:
        self._store = InMemoryTaskStore()
        self._changed: OrderedDict[tuple[str, str], float] = OrderedDict()

    async def save(self, task: Task, context: ServerCallContext) -> None:
        """Remember a task as it is now."""
        owner = context.user.user_name
        self._changed[(owner, task.id)] = time.monotonic()
        self._changed.move_to_end((owner, task.id))
        await self._store.save(task, context)
        mine = [key for key in self._changed if key[0] == owner]
        for key in [*mine[:-MOST_PER_OWNER], *list(self._changed)[:-MOST]]:
            await self._forget(key)

    async def get(self, task_id: str, context: ServerCallContext) -> Task | None:
        """An owner's task; ``None`` for any other, and when its time is over."""
        await self.sweep()
        return await self._store.get(task_id, context)

    async def list(self, params: ListTasksRequest, context: ServerCallContext) -> ListTasksResponse:
        """An owner's tasks."""
        await self.sweep()
        return await self._store.list(params, context)

    async def delete(self, task_id: str, context: ServerCallContext) -> None:
        """Forget an owner's task."""
        await self._forget((context.user.user_name, task_id))

    async def sweep(self) -> None:
        """Forget all tasks whose time is over."""
        over = time.monotonic() - KEEP_S
        for key in [key for key, changed in self._changed.items() if changed < over]:
            await self._forget(key)

    async def _forget(self, key: tuple[str, str]) -> None:
        if self._changed.pop(key, None) is not None:
            await self._store.delete(key[1], ServerCallContext(user=Owner(key[0])))
