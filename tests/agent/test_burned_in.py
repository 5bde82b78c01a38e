from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian

from agent.assistant import Assistant
from agent.redaction import Redactor, plan
from agent.request import Request
from evaluation.burned_in import Written, covered, drawn_ground, write_on
from overread.events import StudyEvent
from overread.settings import Settings


def written() -> Written:
    generator = np.random.default_rng(5)
    return write_on(drawn_ground(generator), generator)


def ultrasound(path: Path, picture: np.ndarray) -> Path:
    """Three frames, each with the same text."""
    name = get_testdata_file("CT_small.dcm", download=False)
    assert isinstance(name, str)
    ds = pydicom.dcmread(name)
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.3.1"
    ds.Modality, ds.PhotometricInterpretation, ds.SamplesPerPixel, ds.PlanarConfiguration = "US", "RGB", 3, 0
    ds.Rows, ds.Columns = picture.shape[:2]
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation, ds.NumberOfFrames = 7, 0, 3
    for keyword in ("RescaleSlope", "RescaleIntercept", "PixelPaddingValue", "SmallestImagePixelValue"):
        if keyword in ds:
            delattr(ds, keyword)
    ds.PixelData = picture.tobytes() * 3
    dcmwrite(path, ds)
    return path


def test_redact_blacks_out_burned_in_identity_in_all_frames(tmp_path: Path) -> None:
    page = written()
    Image.fromarray(page.picture).save(tmp_path / "a.png")
    us = ultrasound(tmp_path / "b.dcm", page.picture)
    receipts = list(Redactor(Settings()).run(plan([tmp_path / "a.png", us], tmp_path / "out")))
    assert all(receipt.removed["regions_masked"] >= 4 for receipt in receipts)
    clean = pydicom.dcmread(tmp_path / "out" / "0002.dcm").pixel_array
    assert clean.shape == (3, *page.picture.shape)
    for frame in (*clean, np.asarray(Image.open(tmp_path / "out" / "0001.png"))):
        for x0, y0, x1, y1 in page.identifying:
            assert not frame[y0:y1, x0:x1].any()
        same = (frame == page.picture).all(axis=2).mean()
        assert same > 0.9


async def test_a_run_masks_before_anything_looks_and_counts_it(tmp_path: Path, own_settings: Settings) -> None:
    page = written()
    Image.fromarray(page.picture).save(tmp_path / "a.png")
    async with Assistant(own_settings) as assistant:
        events = [event async for event in assistant.ask(Request("What is this?", (tmp_path / "a.png",)))]
        (study,) = (event for event in events if isinstance(event, StudyEvent))
        assert study.privacy.regions_masked is not None
        assert study.privacy.regions_masked >= 4
        shown = assistant.picture(study.study_id)
    if shown is not None:
        assert all(not shown[y0:y1, x0:x1].any() for x0, y0, x1, y1 in page.identifying)
    assert covered(page.identifying[0], page.identifying) == 1
