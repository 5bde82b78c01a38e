"""A stripper that records what it was given, and small DICOM files made in memory."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from overread.settings import Settings
from tools.imaging.reader import read_study_bytes
from tools.imaging.study import Study


class RecordingStripper:
    """Takes the name out, and remembers all it was handed."""

    def __init__(self) -> None:
        self.datasets: list[Dataset] = []
        self.metadata_seen: list[dict[str, str]] = []

    def dataset(self, dataset: Dataset) -> Dataset:
        self.datasets.append(dataset)
        clean = deepcopy(dataset)
        for keyword in ("PatientName", "PatientID", "PatientBirthDate"):
            if keyword in clean:
                del clean[keyword]
        return clean

    def metadata(self, values: Mapping[str, str]) -> None:
        self.metadata_seen.append(dict(values))


@pytest.fixture
def stripper() -> RecordingStripper:
    return RecordingStripper()


@pytest.fixture
def read(stripper: RecordingStripper) -> Callable[..., Study]:
    """Reads bytes with the recording stripper, under default limits or the given ones."""

    def reading(data: bytes, **limits: int) -> Study:
        return read_study_bytes(data, stripper, Settings().model_copy(update=limits))

    return reading


@pytest.fixture
def make_dicom() -> Callable[..., bytes]:
    """DICOM bytes of an array ``(H, W)`` or ``(N, H, W)``, with header elements by keyword."""

    def making(pixels: np.ndarray[Any, Any], syntax: str = ExplicitVRLittleEndian, **header: Any) -> bytes:
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
        dataset.Modality = "CT"
        dataset.SamplesPerPixel = 1
        dataset.PhotometricInterpretation = "MONOCHROME2"
        dataset.Rows, dataset.Columns = pixels.shape[-2:]
        if pixels.ndim == 3:
            dataset.NumberOfFrames = len(pixels)
        bits = 8 * pixels.dtype.itemsize
        if pixels.dtype.kind == "f":
            dataset.BitsAllocated = bits
            dataset.FloatPixelData = pixels.tobytes()
        else:
            dataset.BitsAllocated = dataset.BitsStored = bits
            dataset.HighBit = bits - 1
            dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
            dataset.add_new("PixelData", "OW" if bits > 8 else "OB", pixels.tobytes() + b"\0" * (pixels.nbytes % 2))
        for keyword, value in header.items():
            setattr(dataset, keyword, value)
        stream = BytesIO()
        dcmwrite(stream, dataset, enforce_file_format=True)
        return stream.getvalue()

    return making
