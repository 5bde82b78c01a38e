"""Lets an engine write, and lets nothing it writes out but through the gate."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from agent.answer import Answer
from agent.cases import cases_now, without_cases
from agent.engines import composer, server
from agent.engines.announcement import composer_event
from agent.engines.judge import Judge
from agent.engines.ladder import say
from agent.engines.pictures import pictures_for
from agent.engines.rewording import Rewording
from agent.engines.starts import ClaimStarts
from agent.errors import EngineError
from agent.events import FIXED_REFUSALS, Emit
from agent.evidence import Evidence, ask_message, gather, of_this_image
from agent.examples import examples_for
from agent.nodes.screen import LEFT_OUT
from agent.prompts import system_message
from agent.refusals import event_of, explanation, refuse, told
from agent.report import NOTICE, missing_of_report
from agent.run import Run, emitter
from agent.spans import begin
from agent.state import Refused, ThreadState, cases_of, least_certain
from overread.events import EngineEvent
from overread.records import Usage

if TYPE_CHECKING:
    from langgraph.runtime import Runtime

    from guardrails.gate import Gate

REMEMBERED_TURNS = 20
WITH_TOOLS = "llm with tools"
"""The engine that a server which takes no tools falls back from."""

log = logging.getLogger(__name__)


async def write(state: ThreadState, runtime: "Runtime[Run]") -> ThreadState:
    """Refuse, or write: ``refusal``, ``engine``, ``delta``, ``claim`` and ``withheld`` events."""
    run = runtime.context
    emit = emitter(runtime)
    answer = Answer(emit)
    usage: Usage = dict(state["usage"])
    cases = await asyncio.to_thread(cases_now, state, run.parts.registry()) if state.get("cases") else []
    earlier = without_cases(
        state.get("turns", []), {kept.id for kept in cases_of(state)} - {seen.case.id for seen in cases}
    )
    evidence = gather(state, cases, _not_compared(run), run.request.context)
    refused = list(evidence.refused)
    late = None if refused else too_little(of_this_image(evidence), run.settings.refuse_below)
    if late is not None:
        emit(event_of(late))
        refused.append(late)
    for entry in refused:
        said = explanation(entry)
        answer.say(said if entry.reason in FIXED_REFUSALS else run.gate(evidence).scrub(said))
    if late is None and not state["refused_question"] and not evidence.empty:
        answer.paragraph()
        server_may = bool(run.settings.llm_base_url and state["asked"] and run.engine != "failed")
        examples = await examples_for(evidence, run, emit) if server_may else ()
        pictures = await asyncio.to_thread(pictures_for, evidence, run) if server_may else {}
        messages = _messages(state, run, evidence, earlier, examples, pictures)
        await _write(messages, evidence, run, answer, usage, emit, server_may)
    run.timings["gate"] = round(answer.judged_ms, 1)
    if answer.judging_ns is not None:
        span = begin("gate", run.span, answer.judging_ns)
        span.set_attribute("overread.gate_ms", run.timings["gate"])
        span.end()
    turns = [
        *earlier,
        {"role": "user", "text": state["asked"] or LEFT_OUT},
        {"role": "assistant", "text": answer.text},
    ]
    return ThreadState(
        answer=answer.text,
        claims=[claim.model_dump() for claim in answer.claims],
        refused=[entry.model_dump() for entry in refused],
        usage=usage,
        turns=turns[-2 * REMEMBERED_TURNS :],
    )


def _not_compared(run: Run) -> str | None:
    """Why a prior that was given is no image to compare with, or ``None``: unreadable, or of no known kind."""
    if run.request.prior is None:
        return None
    if run.prior is None:
        return "with the earlier study, as it cannot be read"
    return "with the earlier study, as I do not know what kind of image it is"


def too_little(evidence: Evidence, refuse_below: float) -> Refused | None:
    """Why the evidence does not carry an answer, or ``None`` when it does.

    A question about an image alone is refused when tools looked and none could decide. With a question
    of knowledge beside it, for a measurement that was made, or for a report, the answer goes on, and says which
    findings are undecided. What is decided is refused when all of it together is less likely right than
    ``refuse_below``.
    """
    from guardrails.confidence import answer_confidence
    from guardrails.refusal import refuse_low_confidence

    if evidence.empty or not (evidence.about_image or evidence.passages):
        return refuse("no_evidence")
    if evidence.about_image:
        findings = least_certain(evidence.findings)
        unsure = refuse_low_confidence(
            answer_confidence(findings, [image.probability for image in evidence.images]), refuse_below
        )
        if unsure is not None:
            return told(unsure)
    undecided = evidence.findings and all(seen.finding.decision == "indeterminate" for seen in evidence.findings)
    measured = evidence.measure_asked and bool(evidence.measurements)
    if evidence.about_image and not (evidence.knowledge or evidence.report or measured) and undecided:
        image = evidence.images[-1]
        # A model for other patients has its reason too; it is told only where no model for this one looked.
        looked = any(seen.reason is None for seen in evidence.findings)
        reason = None if looked else evidence.findings[-1].reason
        return refuse(
            "low_confidence",
            study_id=image.study_id,
            why=what_is_not_known(reason) or "a probability that lies clear of the limits at which the tool decides",
            next_step=composer.what_would_help(evidence.findings)
            or "Ask for a second image of the patient, or for a reader's opinion.",
        )
    return None


def what_is_not_known(reason: str | None) -> str | None:
    """The reason, but what is not known of the patient alone where that is why each tool could not decide."""
    return reason.split(",")[0] if reason and "is not known" in reason else reason


async def _write(
    messages: list[BaseMessage],
    evidence: Evidence,
    run: Run,
    answer: Answer,
    usage: Usage,
    emit: Emit,
    server_may: bool,
) -> None:
    """The configured server, and the composer when there is none, it fails, or nothing it says holds.

    The composer, which obeys nobody, also answers a question of which a language model may read nothing.
    """
    fallback_from = server.NAME if run.engine == "failed" else None
    gate = run.gate(evidence)
    if server_may:
        try:
            await _write_by_server(messages, evidence, gate, run, answer, usage, emit)
        except EngineError as error:
            log.warning("the composer writes in place of the language model (%s)", error)
            fallback_from = server.NAME
            answer.paragraph()
        else:
            return
    if run.settings.llm_base_url or run.request.images:  # else it was said when the question was screened
        emit(composer_event(fallback_from))
    await answer.write(gate.fresh(), _composed(messages))


async def _write_by_server(
    messages: list[BaseMessage],
    evidence: Evidence,
    gate: "Gate",
    run: Run,
    answer: Answer,
    usage: Usage,
    emit: Emit,
) -> None:
    name = await server.served_model(run.settings)
    emit(EngineEvent(name=server.NAME, model=name, fallback_from=WITH_TOOLS if run.engine == "no tools" else None))
    model = server.server_model(run.settings, name)
    before = len(answer.claims)
    again = Rewording(run.settings, name, evidence, usage).say_again
    lowered = Judge(run.settings, name, evidence, usage).lowered if run.settings.llm_judge else None
    starts = ClaimStarts()
    pieces = server.stream_text(model, messages, run.settings, usage, starts)
    try:
        supported = await answer.write(gate, pieces, again, lowered)
    finally:
        usage.update(starts.summary())
    if not supported:
        raise EngineError("of what the language model wrote, nothing stood up to its evidence")
    if evidence.report:
        missing = missing_of_report([claim.text for claim in answer.claims[before:]])
        if missing - {NOTICE}:
            raise EngineError("what the language model wrote is no report: a section is missing")
        if missing:
            answer.paragraph()
            await answer.write(gate, _only(say("draft")))


async def _only(text: str) -> AsyncIterator[str]:
    yield text


async def _composed(messages: list[BaseMessage]) -> AsyncIterator[str]:
    async for chunk in composer.ComposerChatModel().astream(messages):
        yield chunk.text


def _messages(
    state: ThreadState,
    run: Run,
    evidence: Evidence,
    earlier: list[dict[str, str]],
    examples: Sequence[str],
    pictures: Mapping[str, str],
) -> list[BaseMessage]:
    """The system prompt, the turns before, and the question with its evidence."""
    turns = earlier or run.history
    spoken: list[BaseMessage] = [
        (HumanMessage if turn["role"] == "user" else AIMessage)(content=turn["text"])
        for turn in turns[-2 * REMEMBERED_TURNS :]
    ]
    return [system_message(evidence.report), *spoken, ask_message(state["asked"], evidence, examples, pictures)]
