"""Image files sorted into series of slices, each in order, and the one that is shown.

Sources: PS3.3 C.7.3.1 (General Series), C.7.6.1 (General Image), C.7.6.2 (Image Plane).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from pydicom import Dataset

from overread.records import Context
from tools.imaging.context import context, modality
from tools.imaging.dicom import DicomImage
from tools.imaging.geometry import SAME_PLACE_MM, Plane, distances_mm, parallel, plane, slice_spacing_mm
from tools.imaging.header import integer, word
from tools.imaging.members import Member
from tools.imaging.spacing import Spacing, spacing_mm

T = TypeVar("T")

_PROJECTIONS = frozenset(("CR", "DX", "IO", "MG", "PX", "RG"))
_SCOUTS = frozenset(("LOCALIZER", "SCOUT"))


@dataclass(frozen=True)
class Slice:
    """One image file of a folder. Holds times and UIDs: for the time of reading alone.

    ``series`` is what the files of one series have in common. ``bytes_per_pixel`` is of the decoded
    frame. ``examined`` and ``acquired`` are texts that sort by time.
    """

    member: Member
    digest: str
    series: tuple[object, ...]
    examination: str
    examined: str
    series_number: float
    instance: int | None
    acquired: str
    localizer: bool
    modality: str | None
    frames: int
    size: tuple[int, int]
    bytes_per_pixel: float
    plane: Plane | None
    spacing_mm: Spacing | None
    slice_spacing_mm: float | None
    context: Context


@dataclass(frozen=True)
class Series:
    """Slices that belong together, in order: at least one."""

    slices: tuple[Slice, ...]

    @property
    def frames(self) -> int:
        """Pictures in it."""
        return sum(one.frames for one in self.slices)

    @property
    def spacing_mm(self) -> Spacing | None:
        """(row, column) in mm, where all slices state the same."""
        found = {one.spacing_mm for one in self.slices}
        return found.pop() if len(found) == 1 else None

    @property
    def slice_spacing_mm(self) -> float | None:
        """The distance from each slice to the next in mm, where it is the same for all."""
        if len(self.slices) == 1:
            return self.slices[0].slice_spacing_mm
        return slice_spacing_mm([one.plane for one in self.slices])

    @property
    def context(self) -> Context:
        """What all slices agree on."""
        fields = {name: _agreed(getattr(one.context, name) for one in self.slices) for name in Context.model_fields}
        return Context.model_validate(fields)


def slice_of(image: DicomImage, member: Member, digest: str) -> Slice:
    """What is to be known of an image file. ``digest`` is of its bytes.

    A file of several frames is a series by itself, and so is a projection radiograph: two views are not two
    slices of one volume. Localizers are kept apart, and so are pictures of another size or kind.
    """
    header, layout = image.header, image.layout
    found, seen = modality(header), context(header)
    localizer = bool(_SCOUTS & _image_type(header))
    alone = layout.frames > 1 or found in _PROJECTIONS
    place = plane(header) if layout.frames == 1 else None
    return Slice(
        member=member,
        digest=digest,
        series=(
            word(header, "StudyInstanceUID"),
            word(header, "SeriesInstanceUID"),
            digest if alone else "",
            (found, localizer, seen.view, seen.laterality),
            (image.size, layout.samples, layout.photometric, place is None),
        ),
        examination=word(header, "StudyInstanceUID"),
        examined=word(header, "StudyDate") + word(header, "StudyTime"),
        series_number=_or_last(integer(header, "SeriesNumber")),
        instance=integer(header, "InstanceNumber"),
        acquired=_acquired(header),
        localizer=localizer,
        modality=found,
        frames=layout.frames,
        size=image.size,
        bytes_per_pixel=layout.samples * max(layout.bits_allocated / 8, 1),
        plane=place,
        spacing_mm=spacing_mm(header, layout.frames),
        slice_spacing_mm=image.slice_spacing_mm(),
        context=seen,
    )


def sorted_series(slices: Sequence[Slice]) -> list[Series]:
    """All series, each in order; the one to be shown is the first.

    That is, of those that are no localizer, the one of the latest examination, of these the one with most
    frames, of these the one with most pixels a frame, of these the first by Series Number.
    """
    groups: dict[tuple[object, ...], list[Slice]] = defaultdict(list)
    for one in slices:
        groups[one.series].append(one)
    latest = _examined(slices)
    found = [Series(ordered(part)) for group in groups.values() for part in _parallel(group)]
    found.sort(key=_rank)
    found.sort(key=lambda series: latest[series.slices[0].examination], reverse=True)
    found.sort(key=lambda series: series.slices[0].localizer)
    return found


def ordered(slices: Sequence[Slice]) -> tuple[Slice, ...]:
    """Slices of one series in order; given in another order, the result is the same.

    By place along the normal of the slices, where all state one (several pictures of one place by
    Instance Number and time); else by Instance Number, where each has its own; else by time of
    acquisition, where each has its own; else by all that is there. What is still equal goes by its content.
    """
    slices = sorted(slices, key=lambda one: one.digest)
    places = [one.plane for one in slices if one.plane is not None]
    instances = [_or_last(one.instance) for one in slices]
    times = [one.acquired for one in slices]
    if len(places) == len(slices):
        # Rounding would tear apart what lies on two sides of a border; steps between neighbours do not.
        along = distances_mm(places)
        order = np.argsort(along, kind="stable")
        level = np.empty(len(slices), int)
        level[order] = np.cumsum(np.diff(along[order], prepend=along[order[0]]) > SAME_PLACE_MM)
        keys = [(float(at), *rest) for at, *rest in zip(level, instances, times, strict=True)]
    elif _tells_apart(instances) or not _tells_apart(times):
        keys = [(0.0, *rest) for rest in zip(instances, times, strict=True)]
    else:
        keys = [(0.0, 0.0, time) for time in times]
    return tuple(slices[index] for index in sorted(range(len(slices)), key=lambda index: keys[index]))


def _tells_apart(values: Sequence[float] | Sequence[str]) -> bool:
    missing = ("", float("inf"))
    return len(set(values)) == len(values) and not any(value in missing for value in values)


def _parallel(group: Sequence[Slice]) -> Iterable[list[Slice]]:
    """A series cut into the parts that lie parallel: the three views of a localizer, a reformatted stack."""
    parts: list[list[Slice]] = []
    for one in sorted(group, key=lambda one: one.digest):
        for part in parts:
            first = part[0].plane
            if one.plane is None or first is None or parallel(one.plane, first):
                part.append(one)
                break
        else:
            parts.append([one])
    return parts


def _rank(series: Series) -> tuple[float, float, float, float, str]:
    first = series.slices[0]
    start = min(_or_last(one.instance) for one in series.slices)
    return -series.frames, -first.size[0] * first.size[1], first.series_number, start, first.digest


def _examined(slices: Sequence[Slice]) -> dict[str, str]:
    """When each examination was made, by Study Instance UID; all at one time where there is only one."""
    found: dict[str, str] = defaultdict(str)
    for one in slices:
        found[one.examination] = max(found[one.examination], one.examined)
    return found


def _acquired(header: Dataset) -> str:
    whole = word(header, "AcquisitionDateTime")
    if whole:
        return whole
    for what in ("Acquisition", "Content"):
        time = word(header, f"{what}Time")
        if time:
            return word(header, f"{what}Date") + time
    return ""


def _image_type(header: Dataset) -> set[str]:
    value = header.get("ImageType")
    many = [value] if isinstance(value, str) else value if hasattr(value, "__iter__") else []
    return {str(one).strip().upper() for one in many} if not isinstance(value, bytes) else set()


def _or_last(number: int | None) -> float:
    return float("inf") if number is None else number


def _agreed(values: Iterable[T | None]) -> T | None:
    """The one value that is stated, wherever it is; ``None`` when there are two."""
    found = {value for value in values if value is not None}
    return found.pop() if len(found) == 1 else None
