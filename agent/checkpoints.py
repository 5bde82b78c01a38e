"""Where threads are kept: one SQLite file in the state folder, readable by its owner alone."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"


def threads_file(state: Path) -> Path:
    """The file that holds the threads."""
    return state / "threads.sqlite"


@asynccontextmanager
async def open_checkpoints(state: Path) -> AsyncIterator["AsyncSqliteSaver"]:
    """A checkpointer over the threads' file, which is made with mode 0600 in a folder of mode 0700.

    Only plain JSON values are read back: a file somebody else wrote cannot make objects here.
    """
    import aiosqlite
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    async with aiosqlite.connect(await asyncio.to_thread(_private_file, state)) as connection:
        await connection.execute("PRAGMA busy_timeout = 5000")
        await connection.execute("PRAGMA secure_delete = ON")
        saver = AsyncSqliteSaver(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=None))
        await saver.setup()
        yield saver


async def forget_thread(saver: "AsyncSqliteSaver", thread: str) -> None:
    """Delete a thread so that nothing of it is left in the file, nor in the log beside it."""
    await saver.adelete_thread(thread)
    await saver.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _private_file(state: Path) -> Path:
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = threads_file(state)
    path.touch(mode=0o600, exist_ok=True)
    return path
