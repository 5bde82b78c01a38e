"""Finds out what kind of image each one is, and refuses what no tool here should see."""

import asyncio
from typing import TYPE_CHECKING

from agent.errors import RequestError
from agent.refusals import event_of, refuse
from agent.run import Run, Shown, emitter
from agent.state import Numbering, Refused, SeenImage, ThreadState
from overread.events import DomainEvent
from overread.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from langgraph.runtime import Runtime
    from numpy.typing import NDArray

    from tools.domain import DomainIdentifier
    from tools.imaging.study import Study


def chosen_frame(study: "Study", wanted: int | None) -> int:
    """The frame a tool for single images sees: the one asked for, else the study's own choice. Raises ``RequestError``.

    The rule is ``Study.representative_frame``.
    """
    if wanted is None:
        return study.representative_frame()
    if not 0 <= wanted < study.frames:
        raise RequestError(f"there is no frame {wanted}: the study has frames 0 to {study.frames - 1}")
    return wanted


def _slices(
    study: "Study", frame: int, label: str | None, identifier: "DomainIdentifier", chosen: Settings
) -> "dict[int, NDArray[np.uint8]]":
    """The other slices the tools see: of those sampled, the ones that are of the kind of ``frame``."""
    frames = [index for index in study.sampled_frames(chosen.volume_slices, frame) if index != frame]
    displays = [study.display(index) for index in frames]
    decisions = identifier.identify(displays, [study.modality] * len(frames))
    return {
        index: display
        for index, display, decision in zip(frames, displays, decisions, strict=True)
        if decision.label == label
    }


async def identify(state: ThreadState, runtime: "Runtime[Run]") -> ThreadState:
    """Identify all images in one batch; a ``domain`` event each, and a ``refusal`` for those not accepted.

    A volume is identified by one slice. Where it is accepted and no frame was asked for, the tools see
    ``volume_slices`` of it, those of them that look like the same kind.
    """
    run = runtime.context
    emit = emitter(runtime)
    numbering = Numbering(state.get("counts"))
    refused = [Refused.model_validate(entry) for entry in state["refused"]]
    images: list[SeenImage] = []
    for study in run.studies.values():
        wanted = None if study.study_id == run.prior else run.request.frame
        frame = await asyncio.to_thread(chosen_frame, study, wanted)
        display = await asyncio.to_thread(study.display, frame)
        run.shown[study.study_id] = Shown(study.study_id, frame, display, study.spacing_mm, study.context)
        run.keep(run.shown[study.study_id])
    identifier = await asyncio.to_thread(run.parts.identifier)
    run.account.used(identifier.card.ref)
    shown = list(run.shown.values())
    codes = [run.studies[one.study_id].modality for one in shown]
    decisions = await asyncio.to_thread(identifier.identify, [one.display for one in shown], codes)
    for one, decision in zip(shown, decisions, strict=True):
        study = run.studies[one.study_id]
        if decision.accepted and study.frames > 1 and run.request.frame is None and one.study_id != run.prior:
            one.slices = await asyncio.to_thread(_slices, study, one.frame, decision.label, identifier, run.settings)
        image = SeenImage(
            id=numbering.next("D"),
            study_id=one.study_id,
            frame=one.frame,
            modality=study.modality,
            domain=decision.label if decision.accepted else None,
            probability=decision.probability,
            reason=decision.reason,
            context=study.context,
            slices=tuple(one.slices),
            prior_of=images[0].id if images and one.study_id == run.prior else None,
            incomparable=run.incomparable if one.study_id == run.prior else None,
            images=study.contents.images,
            frames=study.frames,
            spacing_mm=study.spacing_mm,
        )
        emit(
            DomainEvent(
                id=image.id,
                study_id=one.study_id,
                frame=one.frame,
                label=image.domain,
                probability=decision.probability,
                accepted=decision.accepted,
                alternatives=decision.alternatives,
                reason=decision.reason,
            )
        )
        if decision.accepted:
            # A prior alone is nothing to speak of: without the image it belongs to, it is not looked at further.
            if image.prior_of or one.study_id != run.prior:
                images.append(image)
        else:
            refused.append(
                refuse("out_of_domain", study_id=one.study_id, why=(decision.reason or "").strip().rstrip("."))
            )
            emit(event_of(refused[-1]))
    return ThreadState(
        images=[*state.get("images", []), *(image.model_dump() for image in images)],
        new_images=[image.id for image in images],
        refused=[entry.model_dump() for entry in refused],
        counts=numbering.counts,
    )
