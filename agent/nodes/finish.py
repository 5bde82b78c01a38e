"""Ends a run with its one ``done`` event."""

import asyncio
from typing import TYPE_CHECKING

from agent.run import Run, emitter
from agent.state import ThreadState, in_focus, least_certain
from overread.events import DoneEvent
from overread.records import Claim

if TYPE_CHECKING:
    from langgraph.runtime import Runtime


async def finish(state: ThreadState, runtime: "Runtime[Run]") -> ThreadState:
    """Write the run down, then sum up: the answer, what it cites, and how sure it is."""
    from guardrails.confidence import answer_confidence

    run = runtime.context
    claims = [Claim.model_validate(entry) for entry in state["claims"]]
    cited = dict.fromkeys(evidence for claim in claims for evidence in claim.evidence)
    images, findings = in_focus(state)
    shown = least_certain([seen for seen in findings if seen.finding.id in cited])
    domains = [image.probability for image in images if image.id in cited]
    confidence = answer_confidence(shown, domains)
    outcome = {"ended": "done", "citations": list(cited), "confidence": confidence}
    audit_id = await asyncio.to_thread(run.account.close, run.stream.run_id, run.stream.digest(), outcome)
    emitter(runtime)(
        DoneEvent(
            answer=state["answer"],
            citations=tuple(cited),
            confidence=confidence,
            usage=state["usage"],
            timings={**run.timings, "total": run.stream.elapsed_ms()},
            audit_id=audit_id,
        )
    )
    return ThreadState()
