"""Reads the images of a request and takes identity out before anything else sees them."""

import asyncio
from typing import TYPE_CHECKING

from agent.refusals import event_of, refuse
from agent.run import Run, emitter
from agent.state import Refused, ThreadState
from agent.whose import Whose
from overread.events import WithheldEvent
from overread.records import Context

if TYPE_CHECKING:
    from langgraph.runtime import Runtime

    from tools.imaging.study import Study


async def read(state: ThreadState, runtime: "Runtime[Run]") -> ThreadState:
    """Open every image; a ``study`` event each.

    The question is scrubbed once more: the header's values are known only now, and may stand in it.
    Orders in a header or burned into the pixels reach nobody; a ``withheld`` event says that they were there.
    A single image that cannot be read ends the run with its error. Among several it is a refusal, and
    the others go on.
    """
    from agent.opening import OpenedStudy, open_study
    from guardrails.errors import DetectorError
    from tools.errors import UnreadableStudyError

    run = runtime.context
    emit = emitter(runtime)
    refused = [Refused.model_validate(entry) for entry in state["refused"]]
    said = Context.model_validate(state["context"])
    owners: list[Whose] = []
    given = [*run.request.images, *([run.request.prior] if run.request.prior else [])]
    for n, image in enumerate(given, start=1):
        prior = n > len(run.request.images)
        try:
            opened = (
                image
                if isinstance(image, OpenedStudy)
                else await asyncio.to_thread(open_study, image, run.parts, run.settings, run.identity)
            )
            study, masked = await asyncio.to_thread(opened.for_run, run.identity)
        except (UnreadableStudyError, DetectorError) as error:
            if len(run.request.images) == 1 and not prior:
                raise
            refused.append(refuse("unreadable_input", n=n, why=str(error)))
            emit(event_of(refused[-1]))
            continue
        if prior:
            # What is told of the patient holds for both; what the prior's own header says of it goes first.
            study.context = said.merged(run.request.context).merged(study.context)
            run.prior = study.study_id
        else:
            study.context = said.merged(study.context).merged(run.request.context)
        owners.append(opened.whose)
        run.studies[study.study_id] = study
        run.account.read(study)
        receipt = {"regions_masked": masked, "text_redacted": run.text_redacted}
        emit(
            opened.event.model_copy(
                update={
                    "privacy": opened.event.privacy.model_copy(update=receipt),
                    "context": study.context,
                    "prior": prior,
                }
            )
        )
        if await asyncio.to_thread(opened.gives_orders):
            emit(WithheldEvent(stage="input", reason="injection"))
    if run.prior:
        run.incomparable = _incomparable(owners, list(run.studies.values()))
    run.account.question = run.scrub(state["question"])
    return ThreadState(
        question=run.account.question,
        asked=run.scrub(state["asked"]),
        readable=len(run.studies),
        refused=[entry.model_dump() for entry in refused],
    )


def _incomparable(owners: "list[Whose]", studies: "list[Study]") -> str | None:
    """Why the last study may not be compared with the first as its prior: what follows "I cannot compare"."""
    if len(studies) < 2:
        return None
    if owners[0].another_patient(owners[-1]):
        return "two studies whose headers name different patients"
    if owners[-1].later_than(owners[0]):
        return "with this study as the prior, as by its header it is the later one"
    if any(study.frames > 1 for study in studies):
        return "single slices of volumes, as they are not matched to each other"
    return None
