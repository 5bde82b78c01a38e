"""``/v1/studies``: upload, list, look at, fetch pictures of, delete."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.datastructures import UploadFile

from overread.settings import Settings
from serve.api import schema
from serve.api.completions import unless_gone
from serve.api.pictures import look_at, png_of, told_of
from serve.api.service import owner_of, service_of
from serve.errors import ApiError, NoStudyError

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
    return {**told_of(service, service.studies.get(owner, study_id)), **seen}


def _look(path: Any, settings: Settings) -> dict[str, Any]:
    """Read it once: what it is, without identity. Raises ``UnreadableStudyError``."""
    from agent.opening import look_into

    study = look_into(path, settings)
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
    return {"object": "list", "data": [told_of(service, stored) for stored in found]}


@router.get("/v1/studies/{study_id}", response_model=schema.Study, responses=schema.faults(404))
async def study(request: Request, study_id: str) -> dict[str, Any]:
    """What is known of a study, and which pictures there are of it."""
    service, owner = service_of(request), owner_of(request)
    return told_of(service, await asyncio.to_thread(service.studies.get, owner, study_id))


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
    looked_at = await asyncio.to_thread(look_at, service, owner, study_id)
    picture = await asyncio.to_thread(png_of, service, looked_at, name)
    if picture is None:
        message = "no such picture; the last ones looked at are kept, so ask about the image again"
        raise ApiError(404, "no_such_artifact", message)
    return Response(picture, media_type="image/png", headers={"Cache-Control": "private, no-store"})


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
