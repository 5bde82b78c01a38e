"""Pixel spacing in mm, known or ``None``: never assumed, never the detector's.

Sources: PS3.3 10.7.1.3 (Pixel Spacing), C.7.6.16.2.1 (Pixel Measures), C.8.5.5 (US region calibration).
"""

from pydicom import Dataset

from tools.imaging.header import frame_groups, has_functional_groups, integer, items, number, numbers

Spacing = tuple[float, float]

_CENTIMETRES = 3
_TWO_DIMENSIONAL = 1
_LEAST_MM, _MOST_MM = 1e-5, 100.0


def spacing_mm(header: Dataset, frames: int) -> Spacing | None:
    """(row, column) distance between pixel centres in mm, if the header states one for the whole study.

    Pixel Spacing, also from the functional groups when all frames agree, or ultrasound calibration.
    Imager Pixel Spacing and Nominal Scanned Pixel Spacing lie in the plane of a detector or of a
    sheet of film, not of the patient, and give ``None``; so does a value that is zero, negative,
    not a number or absurd.
    """
    checked = range(frames) if has_functional_groups(header) else range(1)
    found = {_pixel_spacing(header, frame) for frame in checked}
    if len(found) > 1:
        return None
    return found.pop() or _ultrasound(header)


def _pixel_spacing(header: Dataset, frame: int) -> Spacing | None:
    for group in frame_groups(header, frame, "PixelMeasuresSequence"):
        values = numbers(group, "PixelSpacing")
        if values:
            return _pair(*values) if len(values) == 2 else None
    return None


def _ultrasound(header: Dataset) -> Spacing | None:
    """The calibration of the two-dimensional regions, when all have the same steps in centimetres.

    Strips beside the picture (an ECG, a Doppler spectrum, M-mode) are no place where a length is measured.
    """
    regions = items(header, "SequenceOfUltrasoundRegions")
    found = {_region(one) for one in regions if integer(one, "RegionSpatialFormat") == _TWO_DIMENSIONAL}
    return found.pop() if len(found) == 1 else None


def _region(region: Dataset) -> Spacing | None:
    units = integer(region, "PhysicalUnitsXDirection"), integer(region, "PhysicalUnitsYDirection")
    if units != (_CENTIMETRES, _CENTIMETRES):
        return None
    x, y = number(region, "PhysicalDeltaX"), number(region, "PhysicalDeltaY")
    return None if x is None or y is None else _pair(abs(y) * 10, abs(x) * 10)


def plausible(*lengths_mm: float) -> bool:
    """Whether all lengths are such as lie between the centres of two pixels: from 10 nm to 10 cm."""
    return all(_LEAST_MM <= one <= _MOST_MM for one in lengths_mm)


def _pair(row: float, column: float) -> Spacing | None:
    return (row, column) if plausible(row, column) else None
