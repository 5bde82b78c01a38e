"""A folder or an archive of DICOM files as one study: its largest series, the slices in order."""

import hashlib
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydicom import Dataset

from overread.records import Contents
from overread.settings import Settings
from tools.errors import TooLargeError, UnreadableStudyError
from tools.imaging.bounds import check_extent
from tools.imaging.dataset import Parsed, looks_like_dicom, parse
from tools.imaging.dicom import is_other_object, open_image, stripped
from tools.imaging.members import Member
from tools.imaging.patient import OnePatient
from tools.imaging.series import Series, Slice, slice_of, sorted_series
from tools.imaging.study import Facts, Frame, HeaderStripper, Study

_MOST_LOST = 8
"""Pictures that may turn out broken before the study is given up: a decoder can take seconds to fail."""


def read_collection(
    members: Sequence[Member], what: str, stripper: HeaderStripper, limits: Settings, source_bytes: int = 0
) -> Study:
    """The study in the files of a folder or an archive, which ``what`` names for the messages.

    The series that is shown is the first of ``sorted_series`` of which a picture can be decoded. The identity of
    every DICOM file goes to ``stripper``, also of those that are not shown. A file that cannot be read is
    counted and left out. Pictures are read again when they are asked for, and one at a time is in memory;
    ``source_bytes`` is what ``members`` themselves keep there.

    Raises ``UnreadableStudyError`` where there is no image, or the files are not of one patient;
    ``TooLargeError``; whatever ``stripper`` raises goes through.
    """
    reading = _Reading(stripper, limits)
    for member in members:
        reading.add(member)
    reading.patient.check()
    if not reading.slices:
        raise UnreadableStudyError(_nothing(reading.counts, what))
    candidates = sorted_series(reading.slices)
    series, shown = _first_shown(candidates, limits)
    others = [one for one in candidates if one.slices and one is not series]
    lost = len(reading.slices) - sum(len(one.slices) for one in (series, *others))
    reading.counts["broken"] += lost
    first = series.slices[0]
    facts = Facts(
        first.modality,
        series.frames,
        first.size,
        series.spacing_mm,
        series.context,
        reading.header(first),
        series.slice_spacing_mm,
        Contents(
            files=len(members),
            series=1 + len(others),
            images=len(series.slices),
            other_images=sum(len(other.slices) for other in others),
            **reading.counts,
        ),
        source_bytes=source_bytes + _many_frames_bytes(first),
    )
    content = hashlib.sha256("".join(one.digest for one in series.slices).encode()).hexdigest()
    return Study(secrets.token_hex(8), content, facts, shown.decode, shown.frame, shown.index)


def _many_frames_bytes(first: Slice) -> int:
    """About what a file of many frames takes, which is kept in memory; files of single slices are not."""
    rows, columns = first.size
    return int(rows * columns * first.frames * first.bytes_per_pixel) if first.frames > 1 else 0


class _Reading:
    """Goes through the files once: identity out, then what is to be known of each image."""

    def __init__(self, stripper: HeaderStripper, limits: Settings) -> None:
        self.slices: list[Slice] = []
        self.counts: Counter[str] = Counter()
        self.patient = OnePatient()
        self._stripper, self._limits = stripper, limits
        self._headers: dict[tuple[object, ...], tuple[str, Dataset]] = {}
        self._seen: set[str] = set()
        self._left = limits.max_study_bytes

    def add(self, member: Member) -> None:
        """Read a file; count it, if it is none of the slices."""
        data = self._dicom(member)
        if data is None:
            return
        self._left -= len(data)
        if self._left < 0:
            raise TooLargeError(
                f"The DICOM files have more than {self._limits.max_study_bytes:,} bytes together; "
                "give one series or raise OVERREAD_MAX_STUDY_BYTES."
            )
        try:
            parsed = parse(data, self._limits)
        except UnreadableStudyError:
            self.counts["broken"] += 1
            return
        # Before anything can go wrong with the picture: identity is taken from every header there is.
        clean = stripped(parsed.header, self._stripper)
        self.patient.add(parsed.header, has_picture=parsed.pixels is not None)
        if parsed.pixels is None:
            self.counts["without_picture" if is_other_object(parsed.header) else "broken"] += 1
        else:
            self._add_image(parsed, clean, member, hashlib.sha256(data).hexdigest())

    def header(self, first: Slice) -> Dataset:
        """The stripped header of one slice of a series: always of the same one, whatever the files' order."""
        return self._headers[first.series][1]

    def _dicom(self, member: Member) -> bytes | None:
        """The bytes of a DICOM file, or ``None`` and one more in the counts."""
        try:
            if looks_like_dicom(member.head()):
                return member.read()
        except UnreadableStudyError:
            self.counts["broken"] += 1
        else:
            self.counts["not_dicom"] += 1
        return None

    def _add_image(self, parsed: Parsed, clean: Dataset, member: Member, digest: str) -> None:
        try:
            image = open_image(parsed, self._limits)
        except UnreadableStudyError:
            self.counts["broken"] += 1
            return
        names = {digest, str(parsed.header.get("SOPInstanceUID") or digest)}
        if names & self._seen:
            self.counts["duplicates"] += 1
            return
        self._seen |= names
        found = slice_of(image, member, digest)
        self.slices.append(found)
        kept = self._headers.get(found.series)
        # One header a series: those of thousands of slices would fill the memory.
        if kept is None or digest < kept[0]:
            self._headers[found.series] = digest, clean


@dataclass(frozen=True)
class _Shown:
    """How the frames of a series are decoded, and one that has been."""

    decode: Callable[[int], Frame]
    frame: Frame
    index: int


def _first_shown(candidates: list[Series], limits: Settings) -> tuple[Series, _Shown]:
    """The first series with a picture that can be decoded. Slices that cannot are taken out of ``candidates``."""
    lost = 0
    for place, series in enumerate(candidates):
        first = series.slices[0]
        check_extent(*first.size, series.frames, max(one.bytes_per_pixel for one in series.slices), limits)
        while series.slices:
            index = len(series.slices) // 2 if series.frames == len(series.slices) else 0
            try:
                decode = _decoder(series, limits)
                return series, _Shown(decode, decode(index), index)
            except UnreadableStudyError:
                lost += 1
                if lost >= _MOST_LOST or sum(len(one.slices) for one in candidates) == 1:
                    raise
            series = candidates[place] = Series(series.slices[:index] + series.slices[index + 1 :])
    raise UnreadableStudyError("No picture can be decoded; export the files again.")


def _decoder(series: Series, limits: Settings) -> Callable[[int], Frame]:
    if series.slices[0].frames > 1:
        # One file of many frames: read once, as it would be by itself.
        return open_image(_parsed(series.slices[0].member, series.slices[0].digest, limits), limits).decode
    return _SliceFrames(tuple((one.member, one.digest) for one in series.slices), limits)


@dataclass(frozen=True)
class _SliceFrames:
    """Decodes a slice out of its own file, which must still be what it was. Knows nothing of a header."""

    files: tuple[tuple[Member, str], ...]
    limits: Settings

    def __call__(self, index: int) -> Frame:
        return open_image(_parsed(*self.files[index], self.limits), self.limits).decode(0)


def _parsed(member: Member, digest: str, limits: Settings) -> Parsed:
    data = member.read()
    if hashlib.sha256(data).hexdigest() != digest:
        raise UnreadableStudyError("A file of the study was changed after it had been read; ask again.")
    return parse(data, limits)


def _nothing(counts: Counter[str], what: str) -> str:
    if counts["broken"]:
        return f"No DICOM image in the {what} can be read; export or copy the study again."
    if counts["without_picture"]:
        return f"The DICOM files in the {what} hold no image; give the files of an image series."
    return f"The {what} holds no DICOM image; give a DICOM study, or name one image file."
