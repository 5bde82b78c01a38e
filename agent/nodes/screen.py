"""Looks at the question itself: may it be answered at all?"""

from typing import TYPE_CHECKING

from agent.engines.announcement import composer_event
from agent.lane import FIRST
from agent.refusals import event_of, told
from agent.run import Run, emitter
from agent.state import ThreadState
from overread.events import WithheldEvent

if TYPE_CHECKING:
    from langgraph.runtime import Runtime

LEFT_OUT = "(left out)"
"""What a language model reads in place of an earlier turn that may not be handed on."""


async def screen(state: ThreadState, runtime: "Runtime[Run]") -> ThreadState:
    """Refuse a question that is out of scope or unsafe; one ``refusal`` event if so.

    The question in the state is already redacted; a ``withheld`` event says that it was. Sentences that give
    orders to the machine are left out of what a language model may read, and another ``withheld`` event says so.
    They refuse nothing: what was asked is still looked up, and the composer answers where nothing else is left.
    """
    from guardrails.refusal import classify_question

    run, emit = runtime.context, emitter(runtime)
    if run.text_redacted:
        emit(WithheldEvent(stage="input", reason="phi"))
    found = await run.parts.lane.run(FIRST, classify_question, state["question"])
    if found is not None:
        refused = told(found)
        emit(event_of(refused))
        return ThreadState(refused=[refused.model_dump()], refused_question=True, asked="")
    # A question without an image has nothing to show while its sources are opened, but who will answer.
    if not state["with_images"] and not run.settings.llm_base_url:
        emit(composer_event())
    asked, removed = await run.parts.lane.run(run.stream.started, _disarmed, state["question"], run)
    if removed:
        emit(WithheldEvent(stage="input", reason="injection"))
    return ThreadState(refused_question=False, asked=asked)


def _disarmed(question: str, run: Run) -> tuple[str, int]:
    """What may be handed on of a question, and how many sentences of it and of the turns before were taken out.

    The turns before come from the caller: identity and orders are taken out of them as well.
    """
    from guardrails.disarm import disarm

    turns = [run.scrub(turn.text) for turn in run.request.history]
    first, *before = disarm([question, *turns], "question")
    run.history = [
        {"role": turn.role, "text": clean.text or LEFT_OUT}
        for turn, clean in zip(run.request.history, before, strict=True)
    ]
    return first.text, first.removed + sum(clean.removed for clean in before)
