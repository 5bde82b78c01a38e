"""``/v1/studies``: upload, list, look at, fetch pictures of, delete."""

import asyncio
import io
import re
from typing import Any

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import Response
from numpy.typing import NDArray
from starlette.datastructures import UploadFile

from overread.settings import Settings
from serve.api import schema
from serve.api.completions import unless_gone
from serve.api.service import Service, owner_of, service_of
from serve.errors import ApiError, NoStudyError
from serve.studies import PREFIX, StoredStudy

_ARTIFACT = re.compile(r"A[0-9]{1,6}")
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}

router = APIRouter()


@router.post(
    "/v1/studies",
    status_code=201,
    openapi_extra=_FORM,
    response_model=schema.NewStudy,
    responses=schema.faults(415),
)
async def upload(request: Request) -> dict[str, Any]:
    """Store the file of the form's one part, ``file``, and say how it is named. What cannot be read is not kept."""
    service, owner = service_of(request), owner_of(request)
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise ApiError(415, "unsupported_media_type", "the body must be a form with the file in its part file")
    async with request.form(max_files=1, max_fields=8) as form:
        given = form.get("file")
        if not isinstance(given, UploadFile):
            raise ApiError(400, "invalid_value", "the form has no file in its part file", "file")
        study_id = await asyncio.to_thread(service.studies.add, owner, given.file)
    try:
        async with service.admission.turn(with_images=True):
            path = service.studies.path(owner, study_id)
            seen = await unless_gone(request, asyncio.to_thread(_look, path, service.settings))
    except BaseException:
        await asyncio.to_thread(service.studies.remove, owner, study_id)
        raise
    return {**_told(service, service.studies.get(owner, study_id)), **seen}


def _look(path: Any, settings: Settings) -> dict[str, Any]:
    """Read it once: what it is, without identity. Raises ``UnreadableStudyError``."""
    from guardrails.phi.header import HeaderStripper
    from guardrails.phi.identity import Identity
    from tools.imaging.reader import read_study

    study = read_study(path, HeaderStripper(Identity()), settings)
    return {
        "modality": study.modality,
        "images": study.contents.images,
        "size": list(study.size),
        "frames": study.frames,
        "spacing_mm": list(study.spacing_mm) if study.spacing_mm else None,
    }


@router.get("/v1/studies", response_model=schema.Studies, responses=schema.faults())
async def studies(request: Request) -> dict[str, Any]:
    """The caller's studies, the oldest first."""
    service = service_of(request)
    found = await asyncio.to_thread(service.studies.of, owner_of(request))
    return {"object": "list", "data": [_told(service, stored) for stored in found]}


@router.get("/v1/studies/{study_id}", response_model=schema.Study, responses=schema.faults(404))
async def study(request: Request, study_id: str) -> dict[str, Any]:
    """What is known of a study, and which pictures there are of it."""
    service, owner = service_of(request), owner_of(request)
    return _told(service, await asyncio.to_thread(service.studies.get, owner, study_id))


def _told(service: Service, stored: StoredStudy) -> dict[str, Any]:
    return {
        "id": stored.id,
        "object": "study",
        "reference": f"{PREFIX}{stored.id}",
        "bytes": stored.bytes,
        "created": int(stored.created),
        "expires": int(stored.expires),
        "looks": [_pictures(service, look) for look in service.looks.at({stored.id})],
    }


def _pictures(service: Service, study_id: str) -> dict[str, Any]:
    """The pictures of one run, as far as they are still kept."""
    kept = service.assistant.picture(study_id) is not None
    names = ["image", "overlay", *service.assistant.drawn(study_id)] if kept else []
    hrefs = {name: f"/v1/studies/{study_id}/artifacts/{name}.png" for name in names}
    return {"study_id": study_id, "artifacts": hrefs}


@router.get(
    "/v1/studies/{study_id}/artifacts/{name}.png",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}, **schema.faults(404)},
)
async def artifact(request: Request, study_id: str, name: str) -> Response:
    """A picture, as PNG: ``image`` without identity, ``overlay`` with what was found, or an artifact by its id.

    ``study_id`` is the one in the events, or a handle: then it is the last run about it that is meant.
    """
    service, owner = service_of(request), owner_of(request)
    looked_at = await asyncio.to_thread(_look_at, service, owner, study_id)
    picture = await asyncio.to_thread(_png, service, looked_at, name)
    if picture is None:
        message = "no such picture; the last ones looked at are kept, so ask about the image again"
        raise ApiError(404, "no_such_artifact", message)
    return Response(picture, media_type="image/png", headers={"Cache-Control": "private, no-store"})


def _look_at(service: Service, owner: str, study_id: str) -> str:
    try:
        service.looks.of(owner, study_id)
    except NoStudyError:
        looks = service.looks.at({service.studies.get(owner, study_id).id})
        if not looks:
            raise ApiError(404, "no_such_artifact", "nothing was asked about this study yet") from None
        return looks[-1]
    return study_id


def _png(service: Service, study_id: str, name: str) -> bytes | None:
    if name == "image":
        pixels = service.assistant.picture(study_id)
    elif name == "overlay":
        pixels = service.assistant.overlay(study_id)
    else:
        drawn = service.assistant.drawn(study_id).get(name) if _ARTIFACT.fullmatch(name) else None
        pixels = None if drawn is None else _shades(drawn.pixels)
    return None if pixels is None else _encoded(pixels)


def _shades(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    """A mask as 0 and 255, a map in [0, 1] as 0 to 255, an overlay as it is."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8)
    return np.rint(np.clip(pixels.astype(np.float32), 0, 1) * 255).astype(np.uint8)


def _encoded(pixels: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format="PNG")
    return buffer.getvalue()


@router.delete("/v1/studies/{study_id}", response_model=schema.Deleted, responses=schema.faults(404))
async def delete(request: Request, study_id: str) -> dict[str, Any]:
    """Delete a study from the disk, and what is kept of it in memory; or only the latter, by the id in the events."""
    service, owner = service_of(request), owner_of(request)
    try:
        service.looks.of(owner, study_id)
    except NoStudyError:
        await asyncio.to_thread(service.studies.remove, owner, study_id)
        service.forget({study_id})
    else:
        service.assistant.drop(study_id)
        service.looks.forget(study_id)
    return {"id": study_id, "object": "study", "deleted": True}
