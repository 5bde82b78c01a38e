"""Reads the images of a request and takes identity out before anything else sees them."""

import asyncio
from typing import TYPE_CHECKING

from agent.refusals import event_of, refuse
from agent.run import Run, emitter
from agent.state import Refused, ThreadState
from agent.whose import Whose
from overread.events import StudyEvent, WithheldEvent
from overread.records import Context, Privacy

if TYPE_CHECKING:
    from langgraph.runtime import Runtime

    from guardrails.phi.header import HeaderStripper
    from tools.imaging.study import Study


async def read(state: ThreadState, runtime: "Runtime[Run]") -> ThreadState:
    """Open every image; a ``study`` event each.

    The question is scrubbed once more: the header's values are known only now, and may stand in it.
    Orders in a header or burned into the pixels reach nobody; a ``withheld`` event says that they were there.
    A single image that cannot be read ends the run with its error. Among several it is a refusal, and
    the others go on.
    """
    from agent.burned_in import mask_burned_in
    from guardrails.errors import DetectorError
    from tools.errors import UnreadableStudyError
    from tools.imaging.reader import read_study

    run = runtime.context
    emit = emitter(runtime)
    refused = [Refused.model_validate(entry) for entry in state["refused"]]
    said = Context.model_validate(state["context"])
    owners: list[Whose] = []
    given = [*run.request.images, *([run.request.prior] if run.request.prior else [])]
    for n, path in enumerate(given, start=1):
        stripper, whose = run.stripper(), Whose()
        prior = n > len(run.request.images)
        try:
            study = await asyncio.to_thread(read_study, path, whose.watching(stripper), run.settings)
            parts = run.parts
            written: list[str] = []
            masked = await asyncio.to_thread(
                mask_burned_in,
                study,
                parts.text_reader(),
                run.identity,
                parts.detector(),
                always=run.settings.llm_images > 0,  # what a language model sees has always been looked at
                heard=written,
            )
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
        owners.append(whose)
        run.studies[study.study_id] = study
        run.account.read(study)
        emit(_study_event(study, stripper, masked, run.text_redacted, prior))
        if await asyncio.to_thread(_gives_orders, stripper.texts, written):
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


def _gives_orders(header: list[str], written: list[str]) -> bool:
    """Whether what people wrote in the header or on the picture tells the machine what to do.

    Neither is handed to anybody, so this is only told.
    """
    from guardrails.disarm import gives_orders

    return gives_orders(header, "header") or gives_orders(written, "ocr")


def _study_event(
    study: "Study", stripper: "HeaderStripper", masked: int | None, text_redacted: int, prior: bool
) -> StudyEvent:
    return StudyEvent(
        study_id=study.study_id,
        modality=study.modality,
        images=study.contents.images,
        size=study.size,
        frames=study.frames,
        spacing_mm=study.spacing_mm,
        privacy=Privacy(
            header_removed=stripper.removed,
            header_replaced=stripper.replaced,
            regions_masked=masked,
            text_redacted=text_redacted,
        ),
        context=study.context,
        contents=study.contents,
        prior=prior,
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
