"""Studies and the pictures of images that were looked at, as PNG, for whom they belong to."""

import io
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serve.api.service import Service
from serve.errors import ApiError, NoStudyError
from serve.studies import PREFIX, StoredStudy

_SMALLEST = 64
_ARTIFACT = re.compile(r"A[0-9]{1,6}")


def told_of(service: Service, stored: StoredStudy) -> dict[str, Any]:
    """What is told of a stored study."""
    return {
        "id": stored.id,
        "object": "study",
        "reference": f"{PREFIX}{stored.id}",
        "bytes": stored.bytes,
        "created": int(stored.created),
        "expires": int(stored.expires),
        "looks": [_looked(service, study_id) for study_id in service.looks.at({stored.id})],
    }


def _looked(service: Service, study_id: str) -> dict[str, Any]:
    """The pictures of one run, as far as they are still kept."""
    hrefs = {name: f"/v1/studies/{study_id}/artifacts/{name}.png" for name in names_of(service, study_id)}
    return {"study_id": study_id, "artifacts": hrefs}


def look_at(service: Service, owner: str, study_id: str) -> str:
    """The id in the events of the look that is meant: itself, or of a handle the last look at it.

    Raises ``NoStudyError`` for what is not the owner's, and ``ApiError`` where nothing was asked about it yet.
    """
    try:
        service.looks.of(owner, study_id)
    except NoStudyError:
        looks = service.looks.at({service.studies.get(owner, study_id).id})
        if not looks:
            raise ApiError(404, "no_such_artifact", "nothing was asked about this study yet") from None
        return looks[-1]
    return study_id


def names_of(service: Service, study_id: str) -> list[str]:
    """The names of the pictures of one look that are still kept."""
    if service.assistant.picture(study_id) is None:
        return []
    return ["image", "overlay", *service.assistant.drawn(study_id)]


def png_of(service: Service, study_id: str, name: str, largest: int | None = None) -> bytes | None:
    """One picture of a look, or ``None`` when it is not kept. One of more than ``largest`` bytes is made smaller."""
    if name == "image":
        pixels = service.assistant.picture(study_id)
    elif name == "overlay":
        pixels = service.assistant.overlay(study_id)
    else:
        drawn = service.assistant.drawn(study_id).get(name) if _ARTIFACT.fullmatch(name) else None
        pixels = None if drawn is None else shades(drawn.pixels)
    return None if pixels is None else png(pixels, largest)


def shades(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    """A mask as 0 and 255, a map in [0, 1] as 0 to 255, an overlay as it is."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8)
    return np.rint(np.clip(pixels.astype(np.float32), 0, 1) * 255).astype(np.uint8)


def png(pixels: NDArray[np.uint8], largest: int | None = None) -> bytes:
    """Pixels, uint8 ``(H, W)`` or ``(H, W, 3)``, as the bytes of a PNG, scaled down to at most ``largest``."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels))
    while True:
        buffer = io.BytesIO()
        image.save(buffer, format="PNG")
        if largest is None or buffer.tell() <= largest or max(image.size) <= _SMALLEST:
            return buffer.getvalue()
        # Bytes grow with the area, and a little faster: noise is what does not shrink.
        scale = 0.9 * (largest / buffer.tell()) ** 0.5
        image = image.resize(
            (max(1, int(image.width * scale)), max(1, int(image.height * scale))), Image.Resampling.BOX
        )
