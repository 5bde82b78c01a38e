"""Three planes of a volume, by Niivue: its script from the installed package ipyniivue, and the volume as NIfTI.

The package is optional (``pip install overread[planes]``) and never imported: only its script is served.
"""

import asyncio
import io
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from fastapi import APIRouter, Response
from fastapi.responses import FileResponse
from numpy.typing import NDArray

from serve.chat.pixels import NOT_KEPT, Opened
from serve.errors import ApiError

if TYPE_CHECKING:
    from agent.opening import OpenedStudy

LEAST_SLICES = 8
MOST_VOXELS = 16 * 1024 * 1024
"""A larger volume is made coarser: what the planes show is an overview."""

router = APIRouter()


@lru_cache(maxsize=1)
def script_path() -> Path | None:
    """Where the installed script lies, or ``None`` where the package is not there."""
    found = find_spec("ipyniivue")
    places = found.submodule_search_locations if found else None
    path = Path(places[0], "static", "widget.js") if places else None
    return path if path and path.is_file() else None


def has_planes(opened: "OpenedStudy") -> bool:
    """Whether the study can be shown so: even slices of grey values, and the package is there."""
    event = opened.event
    even = opened.slice_spacing_mm is not None and event.spacing_mm is not None
    return even and event.frames >= LEAST_SLICES and script_path() is not None


@router.get("/planes.js")
async def script() -> Response:
    """Niivue, as the installed package has it."""
    path = script_path()
    if path is None:
        raise ApiError(404, "not_installed", "ipyniivue is not installed; install overread[planes]")
    return FileResponse(path, media_type="text/javascript", headers={"Cache-Control": "private, no-cache"})


@router.get("/studies/{handle}/volume.nii")
async def volume(opened: Opened) -> Response:
    """The masked volume as NIfTI, coarser where it is large."""
    if not has_planes(opened):
        raise ApiError(404, "no_volume", "this study is no stack of even slices")
    data = await asyncio.to_thread(nifti_of, opened)
    return Response(data, media_type="application/octet-stream", headers=NOT_KEPT)


def nifti_of(opened: "OpenedStudy") -> bytes:
    """The bytes of a NIfTI file, int16: the axes are the picture's columns, rows and slices, no patient's.

    Raises ``ApiError`` for colour; whatever reading a frame raises goes through.
    """
    from nibabel.nifti1 import Nifti1Image

    (rows, columns), frames = opened.event.size, opened.event.frames
    step = max(1, int(np.ceil(np.sqrt(rows * columns * frames / MOST_VOXELS))))
    stack = np.stack([_coarse(opened, number, step) for number in range(frames)], axis=-1)
    least, most = float(stack.min()), float(stack.max())
    whole = least >= -32768 and most <= 32767 and most - least > 255
    slope = 1.0 if whole else max(most - least, 1e-6) / 65535
    shift = 0.0 if whole else least + 32768 * slope
    row_mm, column_mm = opened.event.spacing_mm or (1.0, 1.0)
    affine = np.diag([column_mm * step, row_mm * step, opened.slice_spacing_mm or 1.0, 1.0])
    # The first row of a picture is at its top; the second axis of NIfTI grows upwards.
    voxels = np.rint((stack - shift) / slope).astype(np.int16)[::-1].swapaxes(0, 1)
    image = Nifti1Image(np.ascontiguousarray(voxels), affine)
    image.header.set_slope_inter(slope, shift)
    buffer = io.BytesIO()
    image.to_file_map({"image": _holder(buffer)})
    return buffer.getvalue()


def _holder(buffer: io.BytesIO) -> object:
    from nibabel.fileholders import FileHolder

    return FileHolder(fileobj=buffer)


def _coarse(opened: "OpenedStudy", number: int, step: int) -> NDArray[np.float32]:
    """Every frame of a volume, its pixels averaged ``step`` by ``step``."""
    values = opened.values(number)
    if values is None:
        raise ApiError(404, "no_volume", "planes are made of grey values; this study is in colour")
    rows, columns = (side // step * step for side in values.shape)
    blocks = values[:rows, :columns].reshape(rows // step, step, columns // step, step)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float32)
