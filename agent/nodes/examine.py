"""Runs the tools the router requires and numbers what they found."""

import asyncio
import time
from typing import TYPE_CHECKING

from agent.cases import case_key
from agent.events import Emit
from agent.label_sets import judged
from agent.router import Call, outlines, plan
from agent.run import Run, emitter
from agent.sides import side_of
from agent.spans import step
from agent.state import (
    KeptCase,
    Numbering,
    SeenFinding,
    SeenImage,
    SeenMeasurement,
    ThreadState,
    cases_of,
    findings_of,
    images_of,
    measurements_of,
)
from overread.errors import OverreadError
from overread.events import ToolResultEvent, ToolStartEvent
from overread.records import Artifact, ToolStatus

if TYPE_CHECKING:
    from langgraph.runtime import Runtime

    from tools.contract import ToolImage, ToolOutput


async def examine(state: ThreadState, runtime: "Runtime[Run]") -> ThreadState:
    """Run each required tool once over its images; ``tool_start`` before it, ``tool_result`` after it.

    A tool that fails or has no weights is reported, and the run goes on.
    """
    run = runtime.context
    numbering = Numbering(state.get("counts"))
    images = [image for image in images_of(state) if image.id in state["new_images"]]
    registry = await asyncio.to_thread(run.parts.registry)
    seen = Seen(findings_of(state), measurements_of(state), cases_of(state))
    for call in plan(images, registry).required:
        await run_call(call, run, numbering, seen, emitter(runtime))
    segmenter = await asyncio.to_thread(run.parts.segmenter)
    if segmenter is not None:
        pictures = {key: one for shown in run.shown.values() for key, one in shown.pictures.items()}
        for call in outlines(run.request.question, images, seen.findings, pictures, segmenter):
            await run_call(call, run, numbering, seen, emitter(runtime))
    return ThreadState(
        findings=[entry.model_dump() for entry in seen.findings],
        measurements=[entry.model_dump() for entry in seen.measurements],
        cases=[entry.model_dump() for entry in seen.cases],
        counts=numbering.counts,
    )


class Seen:
    """What the tools of a thread have found, as it grows."""

    def __init__(self, findings: list[SeenFinding], measurements: list[SeenMeasurement], cases: list[KeptCase]) -> None:
        self.findings, self.measurements, self.cases = findings, measurements, cases


async def run_call(
    call: Call, run: Run, numbering: Numbering, seen: Seen, emit: Emit, within_s: float | None = None
) -> "list[tuple[ToolResultEvent, ToolOutput | None]]":
    """Run one tool over the images of a call; give each image's event and output, which is ``None`` without one.

    ``within_s`` is the time it may take where that is less than what the settings allow a tool.
    """
    call_ids = [numbering.next("T") for _ in call.images]
    for call_id, image in zip(call_ids, call.images, strict=True):
        args = {"image": image.id, "domain": image.domain, "context": image.context.model_dump(exclude_none=True)}
        args |= call.args
        emit(
            ToolStartEvent(call_id=call_id, tool=call.tool.name, args=args, study_id=image.study_id, frame=image.frame)
        )
    begun = time.monotonic()
    limit = run.settings.tool_timeout_s if within_s is None else min(within_s, run.settings.tool_timeout_s)
    with step(run.span, "tool", {"overread.tool": call.tool.name}) as span:
        status, reason, outputs = await _outputs(call, run, limit)
        span.set_attribute("overread.status", status)
    elapsed = round((time.monotonic() - begun) * 1000, 1)
    results: list[tuple[ToolResultEvent, ToolOutput | None]] = []
    for call_id, image, output in zip(call_ids, call.images, outputs, strict=True):
        results.append((_result(call, call_id, image, output, status, reason, elapsed, run, numbering, seen), output))
        emit(results[-1][0])
    return results


async def _outputs(call: Call, run: Run, limit_s: float) -> tuple[ToolStatus, str | None, "list[ToolOutput | None]"]:
    from overread.errors import CardError

    nothing: list[ToolOutput | None] = [None] * len(call.images)
    try:
        images = [_tool_image(image, run) for image in call.images]
        work = asyncio.to_thread(call.tool.run, images)
        outputs = await asyncio.wait_for(work, limit_s)
    except CardError as error:
        return "unavailable", str(error), nothing
    except OverreadError as error:
        return "failed", str(error), nothing
    except TimeoutError:
        return "failed", f"the tool took longer than {limit_s:.3g} s", nothing
    except (ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError) as error:
        # What a network raises on an image nobody foresaw. The kind is told, its message may hold anything.
        return "failed", f"the tool stopped with {type(error).__name__}", nothing
    return "ok", None, list(outputs)


def _tool_image(image: SeenImage, run: Run) -> "ToolImage":
    from tools.contract import ToolImage

    study = run.studies[image.study_id]
    return ToolImage(
        display=run.shown[image.study_id].at(image.frame),
        domain=image.domain or "",
        context=image.context,
        values=study.values(image.frame),
        spacing_mm=study.spacing_mm,
    )


def _result(
    call: Call,
    call_id: str,
    image: SeenImage,
    output: "ToolOutput | None",
    status: ToolStatus,
    reason: str | None,
    elapsed_ms: float,
    run: Run,
    numbering: Numbering,
    seen: Seen,
) -> ToolResultEvent:
    """The event of one output, its local ids made unique in the thread, and the thread's memory of it."""
    card = call.tool.card
    told = judged(card, image.domain or "", output.findings if output is not None else ())
    event = ToolResultEvent(
        call_id=call_id,
        tool=call.tool.name,
        status=status,
        reason=reason if output is None else output.told or told.reason,
        elapsed_ms=elapsed_ms,
        model=card.ref,
        study_id=image.study_id,
        frame=image.frame,
    )
    if output is None:
        return event
    pictures = {picture.id: numbering.next("A") for picture in output.pictures}
    findings = []
    for finding in told.findings:
        region = finding.region
        if region is not None and region.artifact is not None:
            region = region.model_copy(update={"artifact": pictures[region.artifact]})
        findings.append(finding.model_copy(update={"id": numbering.next("F"), "region": region}))
    measurements = [entry.model_copy(update={"id": numbering.next("M")}) for entry in output.measurements]
    cases = [entry.model_copy(update={"id": numbering.next("C")}) for entry in output.cases]
    covers = tuple(label.name for label in card.labels)
    seen.findings += [
        SeenFinding(
            image=image.id,
            tool=card.name,
            title=card.title,
            experimental=card.experimental,
            finding=finding,
            covers=covers,
            reason=output.reason or told.reason,
            hedged=finding.label in told.hedged,
            version=card.weights.sha256,
            frame=image.frame,
            side=side_of(finding.region, image, run.studies[image.study_id]),
        )
        for finding in findings
    ]
    version = card.weights.sha256
    seen.measurements += [
        SeenMeasurement(image=image.id, measurement=entry, tool=card.name, version=version, frame=image.frame)
        for entry in measurements
    ]
    seen.cases += [
        KeptCase(image=image.id, id=entry.id, similarity=entry.similarity, key=case_key(found.id))
        for entry, found in zip(cases, output.cases, strict=True)
    ]
    shown = run.shown[image.study_id]
    drawn = {pictures[picture.id]: picture for picture in output.pictures}
    if image.frame == shown.frame:
        shown.findings += findings
        shown.pictures |= drawn
    else:
        shown.elsewhere |= drawn
    artifacts = tuple(
        Artifact(id=pictures[p.id], kind=p.kind, href=f"/v1/studies/{image.study_id}/artifacts/{pictures[p.id]}.png")
        for p in output.pictures
    )
    return event.model_copy(
        update={
            "findings": tuple(findings),
            "measurements": tuple(measurements),
            "cases": tuple(cases),
            "artifacts": artifacts,
        }
    )
