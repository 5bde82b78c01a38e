"""Pictures drawn by this code that look a little like medical images: nobody's, and of no anatomy that is right.

For trying the page without an image at hand. The DICOM files carry an invented patient, so that its removal is seen.
"""

import io
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.uid import UID

Plane = NDArray[np.float64]

NAME, NUMBER, BORN = "Sample^Phantom", "PHANTOM-0042", "19610312"
"""The invented patient of the DICOM files."""
FILM = (1024, 896)
SLICES, SIDE, PIXEL_MM, SLICE_MM = 28, 256, 0.94, 5.0


def chest_film() -> bytes:
    """A film of a chest-like phantom: DICOM, computed radiography, with a name in its header and in its picture."""
    from pydicom.uid import ComputedRadiographyImageStorage

    rows, columns = FILM
    y, x = _grid(rows, columns)
    body = _soft(1 - (np.abs(x) / (0.86 - 0.16 * _soft(-0.55 - y, 0.1))) ** 4 - np.clip(-0.9 - y, 0, 1) * 9, 0.15)
    density = 0.62 * body
    lungs = np.zeros_like(x)
    for side in (-1, 1):
        width = 0.29 + 0.06 * y
        lungs += _soft(1 - ((x - side * 0.40) / width) ** 2 - ((y + 0.08) / 0.62) ** 2, 0.18) * _soft(
            0.46 - 0.1 * side - y - 0.55 * (x - side * 0.36) ** 2 * 2, 0.05
        )
    density -= 0.44 * np.clip(lungs, 0, 1)
    generator = np.random.default_rng(7)
    density += 0.028 * np.clip(lungs, 0, 1) * _texture(generator, x.shape, 9) * np.exp(-((np.abs(x) - 0.3) ** 2) * 6)
    density += 0.24 * _soft(1 - ((x - 0.15) / 0.30) ** 2 - ((y - 0.30) / 0.30) ** 2, 0.45)
    density += 0.22 * _soft(0.15 - np.abs(x), 0.05)
    density += 0.035 * np.sin(y * 60) * _soft(0.1 - np.abs(x), 0.03)
    density -= 0.10 * _soft(0.045 - np.abs(x), 0.02) * _soft(-0.25 - y, 0.1)
    for n in range(10):
        for side in (-1, 1):
            top = -0.78 + 0.135 * n
            rib = top + 0.30 * np.clip(np.abs(x) - 0.1, 0, None) ** 1.5 + 0.05 * np.cos(np.abs(x) * 4)
            density += 0.075 * _line(y - rib, 0.022) * (side * x > 0.08) * _soft(0.8 - np.abs(x), 0.05) * body
    for side in (-1, 1):
        clavicle = -0.70 - 0.16 * (side * x - 0.1)
        density += 0.16 * _line(y - clavicle, 0.03) * (side * x > 0.06) * _soft(0.72 - side * x, 0.04)
    density += 0.22 * _soft(y - 0.62 + 0.1 * np.cos(x * 2.2), 0.1) * body
    density = _blurred(density, 2.2) + generator.normal(0, 0.008, x.shape)
    stored = (np.clip(density, 0, 1.15) / 1.15 * 4095).astype(np.uint16)
    _write(stored, f"{NAME.replace('^', ' ').upper()}  12.03.1961", (24, 20), 4095, 34)
    _write(stored, "L", (columns - 90, 60), 4095, 54)
    header = _header("CR", ComputedRadiographyImageStorage, stored, series=1, instance=1)
    header.ViewPosition, header.BodyPartExamined, header.BurnedInAnnotation = "PA", "CHEST", "YES"
    header.PixelSpacing = [0.39, 0.39]
    header.WindowCenter, header.WindowWidth = 2047, 4095
    return _dicom(header)


def head_slices() -> Iterator[bytes]:
    """The slices of a head-like phantom: DICOM, computed tomography, in Hounsfield units, with their places."""
    from pydicom.uid import CTImageStorage

    study, series = _uid(), _uid()
    generator = np.random.default_rng(11)
    y, x = _grid(SIDE, SIDE)
    for n in range(SLICES):
        at = 2 * n / (SLICES - 1) - 1
        stored = np.clip(_ct_slice(x, y, at, generator) + 1024, 0, 4095).astype(np.uint16)
        header = _header("CT", CTImageStorage, stored, series=2, instance=n + 1)
        header.SeriesInstanceUID = header.FrameOfReferenceUID = series
        header.StudyInstanceUID = study
        header.BodyPartExamined = "HEAD"
        header.PixelSpacing, header.SliceThickness = [PIXEL_MM, PIXEL_MM], SLICE_MM
        header.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        header.ImagePositionPatient = [-SIDE * PIXEL_MM / 2, -SIDE * PIXEL_MM / 2, -n * SLICE_MM]
        header.RescaleSlope, header.RescaleIntercept, header.RescaleType = 1, -1024, "HU"
        header.WindowCenter, header.WindowWidth = 40, 100
        yield _dicom(header)


def _ct_slice(x: Plane, y: Plane, at: float, generator: np.random.Generator) -> Plane:
    """One slice in Hounsfield units; ``at`` runs from the top of the phantom, -1, to its bottom, 1."""
    values = np.full(x.shape, -1000.0)

    def fill(inside: Plane, unit: float) -> None:
        soft = _soft(inside, 0.04)
        values[:] = values * (1 - soft) + unit * soft

    wide = 0.66 * np.sqrt(1 - 0.78 * max(-at, 0.0) ** 2) * (1 - 0.10 * max(at, 0.0))
    long = 0.84 * np.sqrt(1 - 0.78 * max(-at, 0.0) ** 2) * (1 - 0.06 * max(at, 0.0))

    def ellipse(less: float) -> Plane:
        return np.asarray(1 - (x / (wide - less)) ** 2 - (y / (long - less)) ** 2)

    fill(ellipse(0.0), -60)
    fill(ellipse(0.04), 50)
    fill(ellipse(0.06), 1100)
    fill(ellipse(0.115), 8)
    ripple = 0.02 * np.sin(np.arctan2(y, x) * 26 + at * 9) + 0.012 * np.sin(np.arctan2(y, x) * 41)
    fill(ellipse(0.135) + ripple, 38)
    fill(ellipse(0.20) + 2 * ripple, 30)
    fill(_soft(0.008 - np.abs(x), 0.008) * (ellipse(0.12) > 0) - 0.5, 55)
    open_ = max(1 - ((at - 0.05) / 0.5) ** 2, 0.0)
    if open_ > 0.02:
        for side in (-1, 1):
            fill(
                1 - ((x - side * (0.075 + 0.10 * np.abs(y + 0.02))) / 0.055) ** 2 - ((y + 0.02) / (0.30 * open_)) ** 2,
                6,
            )
            fill(1 - ((x - side * 0.20) / 0.06) ** 2 - ((y + 0.02) / 0.13) ** 2 - max(abs(at - 0.1) - 0.2, 0) * 9, 38)
    if at > 0.45:
        for side in (-1, 1):
            fill(1 - ((x - side * 0.24) / 0.14) ** 2 - ((y + long * 0.72) / 0.14) ** 2, -5)
            fill(1 - ((x - side * 0.34) / 0.16) ** 2 - ((y - 0.12) / 0.05) ** 2, 900)
        fill(1 - (x / 0.10) ** 2 - ((y + long * 0.62) / 0.16) ** 2, -950)
    values[:] = _blurred(values, 0.8) + generator.normal(0, 4, x.shape)
    return values


def retina() -> bytes:
    """A fundus-like picture: PNG, colour."""
    side = 900
    y, x = _grid(side, side)
    generator = np.random.default_rng(3)
    radius = np.hypot(x, y)
    light = np.clip(1.05 - 0.45 * radius**2 + 0.05 * _texture(generator, x.shape, 60), 0, None)
    picture = np.stack([0.86 * light, 0.38 * light, 0.14 * light], axis=-1)
    macula = np.exp(-(((x + 0.12) ** 2 + (y - 0.03) ** 2) / 0.02))
    picture *= 1 - 0.5 * macula[..., None] * [0.7, 1.0, 1.0]
    disc = (0.46, -0.02)
    away = np.hypot((x - disc[0]) / 0.95, y - disc[1])
    glow = _soft(0.135 - away, 0.025)[..., None]
    picture = picture * (1 - glow) + glow * [1.0, 0.80, 0.48]
    cup = _soft(0.06 - np.hypot(x - disc[0] + 0.01, y - disc[1]), 0.03)[..., None]
    picture = picture * (1 - cup) + cup * [1.0, 0.92, 0.70]
    dark = np.zeros_like(x)
    for direction in (-1, 1):
        _vessel(dark, generator, disc, np.array([-0.25, direction * 0.97]), 0.021, 3, direction * 0.0145)
        _vessel(dark, generator, disc, np.array([0.55, direction * 0.83]), 0.014, 3, -direction * 0.004)
    dark = _blurred(dark, 1.2)
    picture *= 1 - np.clip(dark, 0, 1)[..., None] * [0.42, 0.62, 0.55]
    picture *= _soft(0.94 - radius, 0.012)[..., None]
    picture += generator.normal(0, 0.008, picture.shape) * (radius < 0.95)[..., None]
    return _png((np.clip(picture, 0, 1) * 255).astype(np.uint8))


def _vessel(
    dark: Plane, generator: np.random.Generator, start: Any, heading: Plane, width: float, depth: int, bend: float
) -> None:
    """A vessel that bends and branches, drawn darker into ``dark`` as a chain of discs."""
    side = dark.shape[0]
    at = np.asarray(start, float)
    for step in range(150):
        at = at + heading * 0.009
        if np.hypot(*at) > 0.96:
            return
        turn = bend + generator.normal(0, 0.03)
        heading = np.array(
            [
                heading[0] * np.cos(turn) - heading[1] * np.sin(turn),
                heading[0] * np.sin(turn) + heading[1] * np.cos(turn),
            ]
        )
        px, py = ((at + 1) / 2 * side).astype(int)
        reach = max(int(width * side / 2), 1)
        window = np.s_[max(py - reach, 0) : py + reach + 1, max(px - reach, 0) : px + reach + 1]
        rows, columns = np.mgrid[window]
        disc = np.hypot(rows - py, columns - px) <= reach
        dark[window] = np.maximum(dark[window], disc * 0.9)
        if depth > 0 and step and step % 26 == 0:
            for lean in (-0.6, 0.6):
                c, s = np.cos(lean), np.sin(lean)
                branch = np.array([heading[0] * c - heading[1] * s, heading[0] * s + heading[1] * c])
                if lean < 0 or generator.random() < 0.4:
                    _vessel(dark, generator, at, branch, width * 0.62, depth - 2, generator.normal(0, 0.01))
            width *= 0.9


def _grid(rows: int, columns: int) -> tuple[Plane, Plane]:
    """``y`` and ``x`` from -1 to 1 over a picture."""
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    return y, x


def _soft(inside: Any, edge: float) -> Plane:
    """0 where ``inside`` is below zero, 1 where above, and a slope of width ``edge`` between."""
    return np.asarray(1 / (1 + np.exp(np.clip(-inside / (edge / 4), -60, 60))))


def _line(distance: Plane, width: float) -> Plane:
    return np.asarray(np.exp(-((distance / width) ** 2)))


def _blurred(picture: Plane, sigma: float) -> Plane:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(picture, sigma))


def _texture(generator: np.random.Generator, shape: tuple[int, ...], grain: float) -> Plane:
    """Noise of a grain in pixels, with a standard deviation of one."""
    noise = _blurred(generator.normal(0, 1, shape), grain)
    return np.asarray(noise / noise.std())


def _write(stored: NDArray[np.uint16], text: str, at: tuple[int, int], value: int, size: int) -> None:
    """Burn a text into stored pixels, its top left at ``at`` (x, y)."""
    from PIL import Image, ImageDraw, ImageFont

    layer = Image.new("L", (stored.shape[1], stored.shape[0]))
    ImageDraw.Draw(layer).text(at, text, fill=255, font=ImageFont.load_default(size))
    stored[np.asarray(layer) > 127] = value


def _header(modality: str, storage_class: "UID", stored: NDArray[np.uint16], series: int, instance: int) -> "Dataset":
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.SOPClassUID = header.file_meta.MediaStorageSOPClassUID = storage_class
    header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = _uid()
    header.StudyInstanceUID, header.SeriesInstanceUID = _uid(), _uid()
    header.PatientName, header.PatientID, header.PatientBirthDate = NAME, NUMBER, BORN
    header.PatientSex, header.PatientAge = "F", f"{date.today().year - 1961:03d}Y"
    header.StudyDate = header.SeriesDate = header.ContentDate = date.today().strftime("%Y%m%d")
    header.AccessionNumber, header.StudyID = "PH-000042", "42"
    header.InstitutionName, header.ReferringPhysicianName = "Sample Hospital of Nowhere", "Example^Doctor"
    header.StudyDescription = header.SeriesDescription = "Drawn by Overread: a phantom, nobody's image"
    header.Modality, header.SeriesNumber, header.InstanceNumber = modality, series, instance
    header.Rows, header.Columns = stored.shape
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 12, 11, 0
    header.PixelData = stored.tobytes()
    return header


def _uid() -> "UID":
    from pydicom.uid import generate_uid

    return generate_uid(prefix="2.25.")


def _dicom(header: "Dataset") -> bytes:
    from pydicom.filewriter import dcmwrite

    buffer = io.BytesIO()
    dcmwrite(buffer, header, enforce_file_format=True)
    return buffer.getvalue()


def _png(picture: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return buffer.getvalue()
