"""Looks up what is known about the question, the domain and the findings."""

import asyncio
import re
import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from agent.events import Emit
from agent.question import understand
from agent.run import Run, emitter
from agent.searching import find_passages
from agent.state import Numbering, ThreadState, in_focus, passages_of
from overread.events import PassageEvent, ToolResultEvent, ToolStartEvent, WithheldEvent
from overread.records import Passage, ToolStatus

if TYPE_CHECKING:
    from langgraph.runtime import Runtime

    from retrieval.search import Hit

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
    run, emit = runtime.context, emitter(runtime)
    live = await _live(state, run, numbering, emit)
    new = await look_up(_query(state), k, state, known, numbering, run, emit, live=live)
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
    live: "Sequence[Hit]" = (),
) -> list[Passage]:
    """At most ``k`` passages for a query, and the ``live`` ones, each told in an event and numbered.

    One of ``known`` keeps its id. The images in focus and their findings weigh in the search. Those whose ids are in
    ``told`` are left out.
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
        live,
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


async def _live(state: ThreadState, run: Run, numbering: Numbering, emit: Emit) -> "list[Hit]":
    """What PubMed adds to a question of knowledge, where the settings ask for it; its failure ends no run.

    A ``tool_start`` and a ``tool_result`` event say that it was asked, with which terms, and what came of it. Nothing
    but terms goes out, and those of a text that identity was taken out of.
    """
    pubmed = run.parts.pubmed()
    if pubmed is None or not understand(state["question"]).knowledge:
        return []
    from retrieval.errors import LiveError
    from retrieval.live import NAME, search_terms

    words = search_terms(run.scrub(_query(state)))
    if not words:
        return []
    call_id = numbering.next("T")
    emit(ToolStartEvent(call_id=call_id, tool=NAME, args={"terms": words}))
    begun = time.monotonic()
    status: ToolStatus = "ok"
    reason: str | None = None
    hits: list[Hit] = []
    try:
        found = await asyncio.to_thread(pubmed.search, words)
    except LiveError as error:
        status, reason = "failed", str(error)
    else:
        hits = list(found.hits)
        if found.retracted:
            reason = f"left out, because retracted: PubMed {', '.join(found.retracted)}"
    elapsed = round((time.monotonic() - begun) * 1000, 1)
    emit(ToolResultEvent(call_id=call_id, tool=NAME, status=status, reason=reason, elapsed_ms=elapsed))
    return hits


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
