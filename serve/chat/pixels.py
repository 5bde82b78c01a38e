"""The viewer's routes: what can be shown, the pixels of a frame, what was found on it, and outlines of prompts.

Everything is masked as the models saw it, in the stored size, and never one flattened picture.
"""

import asyncio
import hashlib
import re
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from overread.errors import OverreadError
from overread.events import Event
from overread.records import Box, Record
from serve import words
from serve.api.failures import error_body, status_of
from serve.api.pictures import png, shades
from serve.chat.found import found_on
from serve.chat.raw_frame import RawFrame, colour_frame, grey_frame
from serve.chat.session import Session
from serve.chat.viewer import viewer_data
from serve.chat.visitor import Visitor, page_of
from serve.errors import ApiError

if TYPE_CHECKING:
    from agent.opening import OpenedStudy
    from agent.segmenting import Segmentation
    from tools.contract import Picture

PRIVATE = {"Cache-Control": "private, no-cache", "Cross-Origin-Resource-Policy": "same-origin"}
NOT_KEPT = {"Cache-Control": "private, no-store"}
MOST_POINTS = 64
_ARTIFACT = re.compile(r"A[0-9]{1,6}")

router = APIRouter()


class PointAsked(Record):
    """A point of a prompt, in stored pixels; ``inside`` says whether it belongs to the object."""

    x: int
    y: int
    inside: bool = True


class FrameAsked(Record):
    """A frame that prompts will come for."""

    frame: int = Field(ge=0)


class OutlineAsked(FrameAsked):
    """A prompt: a half-open box, points, or both, in stored pixels from the top left."""

    box: Box | None = None
    points: tuple[PointAsked, ...] = Field((), max_length=MOST_POINTS)


def opened_of(visitor: Visitor, handle: str) -> "OpenedStudy":
    """The visitor's study that the address names."""
    opened = visitor.studies.get(handle)
    if opened is None:
        raise ApiError(404, "no_such_study", "no such study; it was removed")
    return opened


Opened = Annotated[Any, Depends(opened_of)]


@router.get("/viewer")
async def viewer(visitor: Visitor, request: Request) -> JSONResponse:
    """What can be shown: the studies, the layers to lay over them, and what evidence ids stand for."""
    events = [event for turn in visitor.turns for event in turn.events]
    told = await asyncio.to_thread(_told, visitor, events, request)
    return JSONResponse(told, headers=NOT_KEPT)


def _told(visitor: Session, events: list[Event], request: Request) -> dict[str, Any]:
    handles = {opened.event.study_id: handle for handle, opened in visitor.studies.items()}
    assistant = page_of(request).ready()
    drawn = {study_id: assistant.drawn(study_id) for study_id in handles}
    found = found_on(events, handles, drawn, f"{request.url.path}/layers")
    base = request.url.path.removesuffix("/viewer")
    studies = [_study(opened, number, base) for number, opened in enumerate(visitor.studies.values(), start=1)]
    return {"studies": studies, **found.model_dump(mode="json")}


def _study(opened: "OpenedStudy", number: int, base: str) -> dict[str, Any]:
    from serve.chat.planes import has_planes

    event = opened.event
    receipt = words.receipt(event.privacy)
    windows = viewer_data()["windows"].get(event.modality, {})
    return {
        "handle": opened.handle,
        "study_ids": [event.study_id],
        "label": f"Image {number}",
        "facts": f"{', '.join(words.study_facts(event))}. {receipt[0].upper()}{receipt[1:]}.",
        "size": event.size,
        "frames": event.frames,
        "frame": opened.frame,
        "spacing_mm": event.spacing_mm,
        "slice_spacing_mm": opened.slice_spacing_mm,
        "unit": "HU" if event.modality == "CT" else "",
        "planes": f"{base}/studies/{opened.handle}/volume.nii" if has_planes(opened) else None,
        "presets": [
            {"name": name, "low": center - width / 2, "high": center + width / 2}
            for name, (center, width) in windows.items()
        ],
    }


@router.get("/studies/{handle}/frames/{number}")
async def frame(opened: Opened, number: int, visitor: Visitor, request: Request) -> Response:
    """One frame as 16-bit codes or RGB bytes; the header ``X-Frame`` says how to read and show them."""
    if not 0 <= number < opened.event.frames:
        raise ApiError(404, "no_such_frame", f"no such frame; the study has {opened.event.frames}")
    # The key is in it, so that nobody can tell from it which file this is.
    content = f"{visitor.key}:{opened.content_hash}:{number}:{opened.masked}"
    tag = f'"{hashlib.sha256(content.encode()).hexdigest()[:32]}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={**PRIVATE, "ETag": tag})
    try:
        raw = await asyncio.to_thread(_raw, opened, number)
    except OverreadError as error:
        return _failed(error)
    headers = {**PRIVATE, "ETag": tag, "X-Frame": raw.facts.model_dump_json()}
    return Response(raw.body, media_type="application/octet-stream", headers=headers)


def _raw(opened: "OpenedStudy", number: int) -> RawFrame:
    values, tone = opened.values(number), opened.tone(number)
    if values is None or tone is None:
        return colour_frame(opened.display(number))
    return grey_frame(values, tone)


@router.get("/viewer/layers/{study_id}/{artifact}.png")
async def layer(visitor: Visitor, study_id: str, artifact: str, request: Request) -> Response:
    """A mask as 0 and 255, doubt as 0 to 255, heat as strongly as it is painted, in the stored size."""
    own = any(opened.event.study_id == study_id for opened in visitor.studies.values())
    known = own and _ARTIFACT.fullmatch(artifact) is not None
    picture = page_of(request).ready().drawn(study_id).get(artifact) if known else None
    if picture is None:
        raise ApiError(404, "no_such_artifact", "no such overlay; it is kept no longer")
    content = await asyncio.to_thread(_layer_png, picture)
    return Response(content, media_type="image/png", headers=NOT_KEPT)


def _layer_png(picture: "Picture") -> bytes:
    from tools.overlay import warmth

    return png(shades(warmth(picture.pixels) if picture.kind == "heatmap" else picture.pixels))


@router.post("/studies/{handle}/prepare")
async def prepare(opened: Opened, asked: FrameAsked, request: Request) -> Response:
    """Look at a frame now, so that the first prompt on it finds that done."""
    parts = page_of(request).ready().parts
    try:
        await asyncio.to_thread(opened.outliner(parts).prepare, asked.frame)
    except OverreadError as error:
        return _failed(error)
    return Response(status_code=204)


@router.post("/studies/{handle}/outline")
async def outline(opened: Opened, asked: OutlineAsked, request: Request) -> Response:
    """Outline what a prompt points at: the mask and its doubt as PNG data URIs, and in words what it measures."""
    from serve.outline import outline_of
    from tools.segmentation.prompts import Point, Prompt

    parts = page_of(request).ready().parts
    prompt = Prompt(asked.box, tuple(Point(point.x, point.y, point.inside) for point in asked.points))
    try:
        found = await asyncio.to_thread(opened.outliner(parts).outline, prompt, asked.frame)
    except OverreadError as error:
        return _failed(error)
    told = {
        **outline_of(found).model_dump(mode="json"),
        "lines": _lines(found),
        **await asyncio.to_thread(_pictures, found),
    }
    return JSONResponse(told, headers=NOT_KEPT)


def _pictures(found: "Segmentation") -> dict[str, str | None]:
    return {
        "mask": _data_uri(found.mask) if found.mask is not None and found.mask.any() else None,
        "doubt": _data_uri(found.uncertainty) if found.uncertainty is not None else None,
    }


def _data_uri(pixels: Any) -> str:
    import base64

    return f"data:image/png;base64,{base64.b64encode(png(shades(pixels))).decode('ascii')}"


def _lines(found: "Segmentation") -> list[str]:
    """What is said beside the outline: its size, how far it may be trusted, and whose it is."""
    said = viewer_data()["outline"]
    if found.refused is not None:
        return [part for part in (found.refused.message, found.refused.next_step) if part]
    if found.mask is None or not found.mask.any():
        return [said["none"]]
    doubt = {True: "distrust", False: "steady", None: "unknown"}[found.distrust]
    lines = [
        f"{one.name}: {_rounded(one.value)} {one.unit}" for one in found.measurements if "centroid" not in one.name
    ]
    lines.append(said[doubt].format(score=found.score))
    if found.others:
        lines.append(said["others"].format(count=len(found.others)))
    if found.model is not None:
        lines.append(said["model"].format(name=found.model.name, version=found.model.version))
    return lines


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _failed(error: OverreadError) -> JSONResponse:
    status = 400 if error.code == "bad_prompt" else status_of(error.code)
    return JSONResponse(error_body(status, error.code, str(error)), status_code=status, headers=NOT_KEPT)
