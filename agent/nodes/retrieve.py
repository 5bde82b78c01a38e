"""Looks up what is known about the question, the domain and the findings."""

import asyncio
import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from agent.events import Emit
from agent.question import understand
from agent.run import Run, emitter
from agent.searching import find_passages
from agent.state import Numbering, ThreadState, in_focus, passages_of
from overread.events import PassageEvent, WithheldEvent
from overread.records import Passage

if TYPE_CHECKING:
    from langgraph.runtime import Runtime

MOST_PASSAGES = 4
BESIDE_AN_IMAGE = 2
"""A question about an image alone gets no more passages than this beside its findings."""

_POINTS_BACK = re.compile(
    r"\b(it|its|this|that|these|those|they|them|their|such|the (?:finding|condition|disease))\b", re.I
)


async def retrieve(state: ThreadState, runtime: "Runtime[Run]") -> ThreadState:
    """Search the knowledge base; a ``passage`` event for each passage the engine may cite.

    A passage the thread has already seen keeps its id. A sentence that gives orders is left out of its passage,
    and a passage of which nothing is left is not there.
    """
    numbering = Numbering(state.get("counts"))
    known = passages_of(state)
    k = _wanted(state, with_image=bool(in_focus(state)[0]))
    new = await look_up(_query(state), k, state, known, numbering, runtime.context, emitter(runtime))
    kept = {passage.id: passage for passage in [*known, *new]}
    return ThreadState(
        passages=[passage.model_dump() for passage in kept.values()],
        new_passages=[passage.id for passage in new],
        counts=numbering.counts,
    )


async def look_up(
    query: str,
    k: int,
    state: ThreadState,
    known: Sequence[Passage],
    numbering: Numbering,
    run: Run,
    emit: Emit,
    told: Collection[str] = (),
) -> list[Passage]:
    """At most ``k`` passages for a query, each told in an event and numbered; one of ``known`` keeps its id.

    The images in focus and their findings weigh in the search. Those whose ids are in ``told`` are left out.
    """
    images, findings = in_focus(state)
    base = await asyncio.to_thread(run.parts.knowledge)
    run.account.index = await asyncio.to_thread(lambda: base.checksum)
    found = await run.parts.lane.run(
        run.stream.started,
        find_passages,
        run.parts,
        query,
        images[0].domain if images else None,
        tuple(dict.fromkeys(seen.finding.label for seen in findings)),
        k,
        run.took,
    )
    new: list[Passage] = []
    for one in found:
        if one.disarmed:
            emit(WithheldEvent(stage="input", reason="injection"))
        if not one.passage.text:
            continue
        passage = one.passage
        again = next((p for p in known if p.text == passage.text and p.title == passage.title), None)
        if again is not None and again.id in told:
            continue
        new.append(passage.model_copy(update={"id": again.id if again else numbering.next("S")}))
        emit(PassageEvent.model_validate(new[-1].model_dump()))
    return new


def _wanted(state: ThreadState, with_image: bool) -> int:
    """How many passages are looked for. A report on an image is of that image, and quotes no textbook unasked."""
    asked = understand(state["question"])
    if asked.knowledge or not with_image:
        return MOST_PASSAGES
    return 0 if asked.report else BESIDE_AN_IMAGE


def _query(state: ThreadState) -> str:
    """The question, with the one before it where "it" points back to that."""
    question = state["question"]
    asked = [turn["text"] for turn in state.get("turns", []) if turn["role"] == "user"]
    if asked and not understand(question).about_image and _POINTS_BACK.search(question):
        return f"{question} {asked[-1]}"
    return question
