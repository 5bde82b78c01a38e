"""The conversations of all visitors. Who does not own one cannot tell that it is there."""

import asyncio
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

from overread.settings import Settings
from serve.chat.session import Session
from serve.chat.shelf import Room
from serve.errors import NoConversationError

if TYPE_CHECKING:
    from agent.assistant import Assistant

MAX_SESSIONS = 200
"""Most conversations of all visitors together. When there are more, the idle ones unused for longest go."""

PARALLEL_RUNS = 4
"""Most runs of all conversations at once; others wait for their turn."""


class Sessions:
    """The conversations by their keys, in memory alone."""

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        """``folder`` holds each conversation's folder."""
        self._folder = folder
        self._settings = settings or Settings()
        self._room = Room(self._settings)
        self._open: dict[str, Session] = {}
        self._current: dict[str, str] = {}
        self.places = asyncio.Semaphore(PARALLEL_RUNS)
        self.boot = secrets.token_hex(8)
        """Another one after the server was started anew."""

    def __len__(self) -> int:
        return len(self._open)

    def find(self, key: str) -> Session | None:
        """The conversation of that key, whoever owns it."""
        return self._open.get(key)

    def owned(self, visitor: str, key: str) -> Session:
        """The visitor's conversation of that key. Raises ``NoConversationError``."""
        session = self._open.get(key)
        if session is None or session.owner != visitor or session.ended:
            raise NoConversationError
        return session

    def of(self, visitor: str) -> list[Session]:
        """A visitor's conversations, the newest first."""
        found = [session for session in self._open.values() if session.owner == visitor and not session.ended]
        return sorted(found, key=lambda session: session.made, reverse=True)

    async def current(self, visitor: str, assistant: "Assistant") -> Session:
        """The conversation the visitor looked at last, else the newest, or a new one."""
        session = self._open.get(self._current.get(visitor, ""))
        if session is not None and not session.ended:
            return session
        left = self.of(visitor)
        return left[0] if left else await self.begin(visitor, assistant)

    def look_at(self, session: Session) -> None:
        """The owner looks at this conversation now."""
        self._current[session.owner] = session.key

    async def begin(self, visitor: str, assistant: "Assistant") -> Session:
        """A new conversation. One in which nothing was asked is not kept beside it."""
        unused = [one for one in self.of(visitor) if not one.turns and not one.studies]
        if unused:
            self.look_at(unused[0])
            return unused[0]
        folder = self._folder / f"session-{secrets.token_hex(8)}"
        session = Session(folder, self._room, visitor, self._settings.history_grace_s)
        self._open[session.key] = session
        self.look_at(session)
        await self._make_room(session, assistant)
        return session

    async def _make_room(self, kept: Session, assistant: "Assistant") -> None:
        idle = sorted(
            (one for one in self._open.values() if not one.busy and one is not kept), key=lambda one: one.used
        )
        own = [one for one in idle if one.owner == kept.owner]
        over = own[: max(0, len(self.of(kept.owner)) - self._settings.history_per_visitor)]
        rest = [one for one in idle if one not in over]
        over += rest[: max(0, len(self._open) - len(over) - MAX_SESSIONS)]
        for session in over:
            await self.end(session, assistant)

    async def end(self, session: Session, assistant: "Assistant") -> None:
        """Delete a conversation."""
        if self._open.pop(session.key, None) is not None:
            if self._current.get(session.owner) == session.key:
                del self._current[session.owner]
            await session.end(assistant)

    async def sweep(self, assistant: "Assistant") -> None:
        """Delete the conversations that are past their time."""
        before = time.time() - self._settings.history_hours * 3600
        for session in [one for one in self._open.values() if not one.busy and one.used < before]:
            await self.end(session, assistant)

    async def end_all(self, assistant: "Assistant") -> None:
        """Delete every conversation: the server ends."""
        for session in list(self._open.values()):
            await self.end(session, assistant)
