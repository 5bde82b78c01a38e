"""Is the server alive, is it ready, and what has it counted?"""

import asyncio
import time
from typing import Literal, get_args

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from agent.errors import EngineError
from agent.parts import Parts, Stage
from overread.settings import Settings
from serve.api import schema
from serve.api.asked import load
from serve.api.service import service_of

Condition = Literal["starting", "ok", "fault", "unreachable", "composer"]

LLM_WAIT_S = 2.0
LLM_FRESH_S = 5.0
AGAIN_S = 30.0
"""Seconds after which what could not be loaded is tried again."""

router = APIRouter()


class Readiness:
    """What is true of each part: found out by using it once, and for a language model server again and again."""

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self._settings = settings
        self._parts = parts
        self._asked = 0.0
        self._asking = asyncio.Lock()
        self.conditions: dict[Stage, Condition] = dict.fromkeys(get_args(Stage), "starting")
        self.llm: Condition = "unreachable" if settings.llm_base_url else "composer"

    async def warm(self) -> None:
        """Load what every answer needs, ask a question for practice, and note what does not work.

        What does not work is tried again, until it does: a disk may be full for a while, a machine too busy.
        """
        await asyncio.to_thread(load)
        while True:
            async for stage, works in self._parts.warm():
                self.conditions[stage] = "ok" if works else "fault"
            if all(condition == "ok" for condition in self.conditions.values()):
                return
            await asyncio.sleep(AGAIN_S)

    async def look(self) -> tuple[bool, dict[str, Condition]]:
        """Whether questions can be answered, and each part's condition.

        A language model server that is not there is no hindrance: the composer answers in its place.
        """
        if self._settings.llm_base_url:
            async with self._asking:
                if time.monotonic() - self._asked > LLM_FRESH_S or not self._asked:
                    self.llm = await self._reach()
                    self._asked = time.monotonic()
        ready = all(condition == "ok" for condition in self.conditions.values())
        return ready, {**{str(stage): condition for stage, condition in self.conditions.items()}, "llm": self.llm}

    async def _reach(self) -> Condition:
        from agent.engines.server import served_model

        unnamed = self._settings.model_copy(update={"llm_model": None, "llm_first_token_s": LLM_WAIT_S})
        try:
            await asyncio.wait_for(served_model(unnamed), LLM_WAIT_S)
        except (EngineError, TimeoutError):
            return "unreachable"
        return "ok"


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", response_model=schema.Alive, responses=schema.faults())
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.head("/readyz", include_in_schema=False)
@router.get(
    "/readyz",
    response_model=schema.Ready,
    responses={**schema.faults(), 503: {"model": schema.Ready | schema.Failed, "description": "Not ready"}},
)
async def readyz(request: Request) -> JSONResponse:
    """Whether questions can be answered: 200, or 503 while a part is not there."""
    ready, conditions = await service_of(request).readiness.look()
    return JSONResponse({"ready": ready, "parts": conditions}, status_code=200 if ready else 503)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **schema.faults()},
)
async def metrics(request: Request) -> Response:
    """What was counted, for Prometheus."""
    return Response(service_of(request).metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
