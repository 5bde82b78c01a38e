import re
from copy import deepcopy

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid

from guardrails.errors import HeaderTooDeepError
from guardrails.phi.header import HeaderStripper

FILES = [
    "CT_small.dcm",
    "MR_small.dcm",
    "examples_palette.dcm",
    "examples_ybr_color.dcm",
    "JPEG2000.dcm",
    "liver_1frame.dcm",
]


def read(name: str) -> Dataset:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return pydicom.dcmread(path)


def planted() -> Dataset:
    ds = read("CT_small.dcm")
    ds.PatientName = "Kowalski^Agnieszka"
    ds.PatientID = "MRN-0012345"
    ds.PatientBirthDate = "19500302"
    del ds.PatientAge
    ds.StudyDate = "20200303"
    ds.StudyDescription = "Follow-up for Agnieszka Kowalski"
    ds.InstitutionName = "Zabrze Hospital"
    ds.add_new(0x00091010, "LO", "Kowalski private")
    ds.add_new(0x60003000, "OW", b"\0\0")
    item = Dataset()
    item.PatientID = "NESTED-4711"
    item.ReferencedSOPInstanceUID = ds.SOPInstanceUID
    inner = Dataset()
    inner.PersonName = "Nowak^Piotr"
    item.add_new(0x00091011, "LO", "private")
    item.ReferencedImageSequence = Sequence([inner])
    ds.SourceImageSequence = Sequence([item])
    return ds


@pytest.mark.parametrize("name", FILES)
def test_pixels_survive_and_the_original_is_untouched(name: str) -> None:
    ds = read(name)
    before = deepcopy(ds)
    clean = HeaderStripper().dataset(ds)
    assert ds == before
    assert clean["PixelData"].value is ds["PixelData"].value
    assert np.array_equal(clean.pixel_array, before.pixel_array)
    assert not any(element.tag.is_private for element in clean.iterall())


def test_nothing_planted_is_left_anywhere() -> None:
    stripper = HeaderStripper()
    clean = stripper.dataset(planted())
    text = str(clean).lower() + str(clean.file_meta).lower()
    # As words: the digits of a hashed UID may hold any short number by chance.
    for value in ("kowalski", "agnieszka", "0012345", "19500302", "20200303", "zabrze", "4711", "nowak", "private"):
        assert not re.search(rf"(?<![0-9a-z]){value}(?![0-9a-z])", text), value
    assert str(planted().SOPInstanceUID) not in text
    assert 0x60003000 not in clean
    assert stripper.removed > 5
    assert stripper.replaced > 5


def test_what_was_removed_is_found_in_text() -> None:
    stripper = HeaderStripper()
    stripper.dataset(planted())
    for text in (
        "A. Kowalski",
        "mrn0012345",
        "2 March 1950",
        "nested 4711",
        "Piotr Nowak",
        "Zabrze Hospital",
        "3/3/20",
    ):
        assert stripper.identity.find(text), text
    assert stripper.identity.find(str(planted().SOPInstanceUID))
    assert "Kowalski" not in repr(stripper.identity)


def test_what_reading_needs_is_kept() -> None:
    ds = planted()
    ds.BodyPartExamined, ds.ViewPosition, ds.Laterality, ds.PatientSex = "CHEST", "PA", "L", "F"
    clean = HeaderStripper().dataset(ds)
    for keyword in ("Rows", "Columns", "BitsStored", "PixelSpacing", "RescaleSlope", "RescaleIntercept", "Modality",
                    "BodyPartExamined", "ViewPosition", "Laterality", "PatientSex", "SOPClassUID"):  # fmt: skip
        assert clean[keyword].value == ds[keyword].value
    assert clean.PatientAge == "070Y"
    assert clean.file_meta.TransferSyntaxUID == ds.file_meta.TransferSyntaxUID


@pytest.mark.parametrize(("given", "kept"), [("093Y", "090Y"), ("004Y", "004Y"), ("011M", "011M")])
def test_ages_above_89_are_made_90(given: str, kept: str) -> None:
    ds = read("MR_small.dcm")
    ds.PatientAge = given
    assert HeaderStripper().dataset(ds).PatientAge == kept


def test_uids_are_replaced_alike_within_a_run_and_differently_in_the_next() -> None:
    ds = planted()
    stripper = HeaderStripper()
    first, second = stripper.dataset(ds), stripper.dataset(ds)
    assert first.SOPInstanceUID == second.SOPInstanceUID != ds.SOPInstanceUID
    assert first.file_meta.MediaStorageSOPInstanceUID == stripper.dataset(ds).file_meta.MediaStorageSOPInstanceUID
    assert first.SOPInstanceUID.startswith("2.25.")
    assert len(first.SOPInstanceUID) <= 64
    assert HeaderStripper().dataset(ds).SOPInstanceUID != first.SOPInstanceUID


def test_without_pixel_data_or_file_meta() -> None:
    ds = Dataset()
    ds.PatientName = "Kowalski^A"
    ds.SOPInstanceUID = generate_uid()
    clean = HeaderStripper().dataset(ds)
    assert not clean.PatientName
    assert "PixelData" not in clean


def test_endless_nesting_is_an_error() -> None:
    ds = Dataset()
    inner = ds
    for _ in range(40):
        item = Dataset()
        inner.ReferencedImageSequence = Sequence([item])
        inner = item
    with pytest.raises(HeaderTooDeepError, match="too deep"):
        HeaderStripper().dataset(ds)


def test_metadata_of_other_files_is_counted_and_remembered() -> None:
    stripper = HeaderStripper()
    stripper.metadata({"Patient Name": "Kowalski^Agnieszka", "Software": "editor 3", "exif:DateTime": "2020:03:03"})
    assert stripper.removed == 3
    assert stripper.identity.find("Agnieszka Kowalski")
    assert not stripper.identity.find("editor 3")
