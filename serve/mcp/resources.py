"""The resources: studies, pictures of what was looked at, and files that tools made. Each only for its owner."""

import asyncio
import json
from typing import Any

from mcp.types import Resource

from overread.errors import OverreadError
from serve.api.pictures import look_at, names_of, png_of, told_of
from serve.mcp.calls import Calls, Ctx
from serve.mcp.kept import Kept
from serve.mcp.quiet import QuietServer, ToldError

LARGEST_PICTURE = 700_000
"""Most bytes of a picture: with them as text, a message stays under the 1 MiB that clients take by default."""
GONE = "no such picture; the last ones looked at are kept, so ask about the image again"


class Resources:
    """The resources of one server."""

    def __init__(self, calls: Calls, kept: Kept) -> None:
        self._calls = calls
        self._kept = kept

    def add_to(self, server: QuietServer) -> None:
        """Register them all."""
        json_, image = "application/json", "image/png"
        studies = Resource(uri="overread://studies", name="studies", title="Your studies",
                           description=self.studies.__doc__, mime_type=json_)  # fmt: skip
        server.listed[studies.uri] = (studies, self.studies)
        server.resource("overread://studies/{study_id}", title="A study", mime_type=json_)(self.study)
        server.resource("overread://looks/{study_id}/{name}.png", title="A picture", mime_type=image)(self.picture)
        server.resource("overread://results/{token}/{name}.png", title="A mask", mime_type=image)(self.mask)
        server.resource("overread://results/{token}/{name}.dcm", title="A clean file", mime_type="application/dicom")(
            self.clean
        )

    async def studies(self, ctx: Ctx) -> str:
        """The studies you uploaded, the oldest first, and the pictures there are of them."""
        service, owner = self._calls.service, self._calls.owner(ctx)
        found = await asyncio.to_thread(service.studies.of, owner)
        return json.dumps({"studies": [self._told(stored) for stored in found]})

    async def study(self, study_id: str, ctx: Ctx) -> str:
        """One study: how it is named, when it is deleted, and the pictures there are of it."""
        service = self._calls.service
        try:
            stored = await asyncio.to_thread(service.studies.get, self._calls.owner(ctx), study_id)
        except OverreadError as error:
            raise ToldError(str(error)) from None
        return json.dumps(self._told(stored))

    def _told(self, stored: Any) -> dict[str, Any]:
        told = told_of(self._calls.service, stored)
        for look in told["looks"]:
            id_ = look["study_id"]
            look["pictures"] = [f"overread://looks/{id_}/{name}.png" for name in names_of(self._calls.service, id_)]
        return told

    async def picture(self, study_id: str, name: str, ctx: Ctx) -> bytes:
        """A picture of a look: image (without identity), overlay (with what was found), or an artifact such as A1."""
        service = self._calls.service
        try:
            looked_at = await asyncio.to_thread(look_at, service, self._calls.owner(ctx), study_id)
        except OverreadError as error:
            raise ToldError(str(error)) from None
        found = await asyncio.to_thread(png_of, service, looked_at, name, LARGEST_PICTURE)
        if found is None:
            raise ToldError(GONE)
        return found

    async def mask(self, token: str, name: str, ctx: Ctx) -> bytes:
        """The mask that segment made, or where it is in doubt."""
        return self._file(token, f"{name}.png", ctx)

    async def clean(self, token: str, name: str, ctx: Ctx) -> bytes:
        """The file that redact_dicom made."""
        return self._file(token, f"{name}.dcm", ctx)

    def _file(self, token: str, name: str, ctx: Ctx) -> bytes:
        try:
            return self._kept.get(self._calls.owner(ctx), token, name)
        except OverreadError as error:
            raise ToldError(str(error)) from None
