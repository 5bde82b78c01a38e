"""The threads in which runs do their work on texts, and whose step comes next.

Where many runs go on at once, a step waits for a thread. In the order in which they ask, all runs would do their first
steps, then all their second ones, and everybody would wait as long as the last. Here what comes before a run's first
event goes first, as that is short, and then the run that began first: so one after the other is done.
"""

import asyncio
import contextvars
import itertools
import os
import queue
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

FIRST = 0.0
"""The order of what comes before a run's first event. Any later step's is the time at which its run began."""

P = ParamSpec("P")
T = TypeVar("T")


class Lane:
    """As many threads as there are cores: more of them would only take the interpreter from each other."""

    def __init__(self, threads: int | None = None) -> None:
        """The threads start when they are first needed."""
        self._threads = ThreadPoolExecutor(threads or max(2, os.cpu_count() or 1), thread_name_prefix="lane")
        self._waiting: queue.PriorityQueue[tuple[float, int, Future[Any], Callable[[], Any]]] = queue.PriorityQueue()
        self._number = itertools.count()

    async def run(self, order: float, step: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        """As ``asyncio.to_thread``, in turn: the smallest ``order`` first. A step that nobody waits for is left out."""
        inside = contextvars.copy_context()
        done: Future[T] = Future()
        self._waiting.put((order, next(self._number), done, partial(inside.run, step, *args, **more)))
        self._threads.submit(self._next)
        return await asyncio.wrap_future(done)

    def _next(self) -> None:
        _, _, done, call = self._waiting.get()
        if done.set_running_or_notify_cancel():
            try:
                done.set_result(call())
            except BaseException as error:  # noqa: BLE001  it is raised where the step is waited for
                done.set_exception(error)
