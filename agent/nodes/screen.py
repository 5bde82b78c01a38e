"""Looks at the question itself: may it be answered at all?"""

import asyncio
from typing import TYPE_CHECKING

from agent.engines.announcement import composer_event
from agent.refusals import event_of, told
from agent.run import Run, emitter
from agent.state import ThreadState
from overread.events import WithheldEvent

if TYPE_CHECKING:
    from langgraph.runtime import Runtime


async def screen(state: ThreadState, runtime: "Runtime[Run]") -> ThreadState:
    """Refuse a question that is out of scope or unsafe; one ``refusal`` event if so.

    The question in the state is already redacted; a ``withheld`` event says that it was.
    """
    from guardrails.refusal import classify_question

    if runtime.context.text_redacted:
        emitter(runtime)(WithheldEvent(stage="input", reason="phi"))
    found = await asyncio.to_thread(classify_question, state["question"])
    if found is None:
        # A question without an image has nothing to show while its sources are opened, but who will answer.
        if not state["with_images"] and not runtime.context.settings.llm_base_url:
            emitter(runtime)(composer_event())
        return ThreadState(refused_question=False)
    refused = told(found)
    emitter(runtime)(event_of(refused))
    return ThreadState(refused=[refused.model_dump()], refused_question=True)
