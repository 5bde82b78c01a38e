"""Where threads are kept: one SQLite file in the state folder, readable by its owner alone."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import NoThreadError
from overread.settings import Settings

if TYPE_CHECKING:
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"


def threads_file(state: Path) -> Path:
    """The file that holds the threads."""
    return state / "threads.sqlite"


@asynccontextmanager
async def open_checkpoints(settings: Settings) -> AsyncIterator["AsyncSqliteSaver"]:
    """A checkpointer over the threads' file, which is made with mode 0600 in a folder of mode 0700.

    Only plain JSON values are read back: a file somebody else wrote cannot make objects here. With a key, what
    threads remember is encrypted; their names are not.
    """
    import aiosqlite
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    from agent.sealing import serializer

    path = await asyncio.to_thread(_private_file, settings.state)
    serde = await asyncio.to_thread(serializer, settings, JsonPlusSerializer(allowed_msgpack_modules=None))
    async with aiosqlite.connect(path) as connection:
        await connection.execute("PRAGMA busy_timeout = 5000")
        await connection.execute("PRAGMA secure_delete = ON")
        saver = AsyncSqliteSaver(connection, serde=serde)
        await saver.setup()
        yield saver


async def forget_thread(saver: "AsyncSqliteSaver", thread: str) -> None:
    """Delete a thread so that nothing of it is left in the file, nor in the log beside it."""
    await saver.adelete_thread(thread)
    await saver.conn.commit()
    await saver.conn.execute("VACUUM")
    await saver.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def older_threads(saver: "AsyncSqliteSaver", prefix: str, before: float) -> list[str]:
    """The threads whose names begin so, and of which nothing was written since ``before``, in seconds since 1970."""
    # A checkpoint's id is a UUID of version 6, which sorts by time: 100 ns since 1582, the highest bits first.
    ticks = int(before * 10_000_000) + 0x01B21DD213814000
    first = f"{ticks >> 28:08x}-{ticks >> 12 & 0xFFFF:04x}-6{ticks & 0xFFF:03x}"
    rows = await saver.conn.execute_fetchall(
        "SELECT thread_id FROM checkpoints WHERE substr(thread_id, 1, ?) = ?"
        " GROUP BY thread_id HAVING MAX(checkpoint_id) < ?",
        (len(prefix), prefix, first),
    )
    return [str(row[0]) for row in rows]


async def thread_names(settings: Settings) -> list[str]:
    """The threads that are remembered, by name. Makes no file where there is none."""
    if not await asyncio.to_thread(threads_file(settings.state).exists):
        return []
    async with open_checkpoints(settings) as saver:
        rows = await saver.conn.execute_fetchall("SELECT DISTINCT thread_id FROM checkpoints ORDER BY thread_id")
        return [str(row[0]) for row in rows]


async def remove_threads(settings: Settings, names: Sequence[str]) -> None:
    """Delete threads, all or none of them. Raises ``NoThreadError`` when one is not there."""
    known = await thread_names(settings)
    if not set(names) <= set(known):
        raise NoThreadError("there is no such thread; see: overread threads list")
    async with open_checkpoints(settings) as saver:
        for name in names:
            await forget_thread(saver, name)


def _private_file(state: Path) -> Path:
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = threads_file(state)
    path.touch(mode=0o600, exist_ok=True)
    return path
