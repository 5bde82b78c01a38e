"""Which of the files given side by side are slices of one series."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from overread.settings import Settings
from tools.errors import UnreadableStudyError
from tools.imaging.bounds import read_bytes
from tools.imaging.dataset import looks_like_dicom, parse
from tools.imaging.dicom import open_image
from tools.imaging.members import HEAD_BYTES, Member
from tools.imaging.series import Slice, slice_of, sorted_series


def holds_dicom(paths: Sequence[Path], limits: Settings) -> bool:
    """Whether any of the files begins like a DICOM file."""
    return any(looks_like_dicom(head) for head in (_head(path, limits) for path in paths))


def grouped(paths: Sequence[Path], limits: Settings) -> list[tuple[Path, ...]]:
    """The files put together to studies, in the order of the first file of each.

    The DICOM files of one series are one study, by the rule of a folder: see ``sorted_series``. Every other file is
    one by itself, and so is one that cannot be read: whoever opens it is told. Nothing is decoded, and what is read
    of a header is forgotten.
    """
    if len(paths) < 2:
        return [(path,) for path in paths]
    slices: list[Slice] = []
    alone: list[tuple[Path, ...]] = []
    of_digest: dict[str, Path] = {}
    for number, path in enumerate(paths):
        # The place in the list, not the content: a file given twice is two members of its series.
        found = _slice(path, str(number), limits)
        if found is None:
            alone.append((path,))
        else:
            slices.append(found)
            of_digest[found.digest] = path
    series = [tuple(of_digest[one.digest] for one in part.slices) for part in sorted_series(slices)]
    place = {path: number for number, path in enumerate(paths)}
    return sorted([*alone, *series], key=lambda group: min(place[path] for path in group))


def _slice(path: Path, digest: str, limits: Settings) -> Slice | None:
    if not looks_like_dicom(_head(path, limits)):
        return None
    try:
        member = Member(partial(read_bytes, path, limits, HEAD_BYTES), partial(read_bytes, path, limits))
        return slice_of(open_image(parse(member.read(), limits), limits), member, digest)
    except UnreadableStudyError:
        return None


def _head(path: Path, limits: Settings) -> bytes:
    try:
        return read_bytes(path, limits, HEAD_BYTES)
    except UnreadableStudyError:
        return b""
