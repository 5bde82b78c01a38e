from datetime import date, timedelta

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pydicom.sequence import Sequence

from guardrails.phi.dates import read_date, shift_date
from guardrails.phi.header import HeaderStripper
from guardrails.phi.profile import OPTIONS, Option, Retained, profile
from guardrails.phi.text import TextDetector

KEY = b"k" * 32
DETECTOR = TextDetector()


def planted(patient: str = "MRN-0012345") -> Dataset:
    name = get_testdata_file("CT_small.dcm", download=False)
    assert isinstance(name, str)
    ds = pydicom.dcmread(name)
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = "Kowalski^Agnieszka", patient, "19300302"
    ds.PatientAge, ds.PatientWeight, ds.EthnicGroup, ds.SmokingStatus = "093Y", "61.5", "X1", "NO"
    ds.StudyDate, ds.SeriesDate, ds.StudyTime = "20200303", "20200310", "101530"
    ds.AcquisitionDateTime = "20200303101530.250+0100"
    ds.StudyDescription = "CT thorax for Agnieszka Kowalski, follow-up of nodule"
    ds.InstitutionName, ds.StationName, ds.DeviceSerialNumber = "Zabrze Hospital", "CT-ROOM-2", "SN-88213"
    ds.DateOfLastCalibration = "20200101"
    item = Dataset()
    item.PatientID, item.ContentDate, item.SeriesDescription = "NESTED-4711", "20200304", "seen by Dr. Kowalski"
    item.ReferencedSOPInstanceUID = ds.SOPInstanceUID
    item.add_new(0x00091011, "LO", "Kowalski private")
    ds.SourceImageSequence = Sequence([item])
    return ds


def stripped(*options: Option, key: bytes = KEY, patient: str = "MRN-0012345") -> Dataset:
    return HeaderStripper(retained=Retained(options=frozenset(options)), key=key, detector=DETECTOR).dataset(
        planted(patient)
    )


@pytest.mark.parametrize("options", [(), *[(option,) for option in OPTIONS], OPTIONS])
def test_no_option_lets_a_patient_through(options: tuple[Option, ...]) -> None:
    clean = stripped(*options)
    text = str(clean).lower()
    for value in ("kowalski", "agnieszka", "0012345", "19300302", "4711", "093y"):
        assert value not in text, value
    assert not any(element.tag.is_private for element in clean.iterall())
    assert clean.PatientAge == "090Y"


def test_each_option_keeps_its_own_and_nothing_else() -> None:
    plain, original = stripped(), planted()
    kept: dict[Option, list[str]] = {
        "uids": ["SOPInstanceUID", "StudyInstanceUID"],
        "device": ["StationName", "DeviceSerialNumber", "DateOfLastCalibration"],
        "institution": ["InstitutionName"],
        "patient": ["PatientWeight", "EthnicGroup", "SmokingStatus"],
    }
    for option in kept:
        clean = stripped(option)
        for other, theirs in kept.items():
            for keyword in theirs:
                same = clean.get(keyword) == original.get(keyword)
                assert same == (other == option), (option, keyword)
                assert plain.get(keyword) != original.get(keyword)
    assert stripped("uids").file_meta.MediaStorageSOPInstanceUID == original.file_meta.MediaStorageSOPInstanceUID
    assert stripped("uids").SourceImageSequence[0].ReferencedSOPInstanceUID == original.SOPInstanceUID


def test_dates_move_together_and_times_stay() -> None:
    clean, original = stripped("dates"), planted()
    first, second = (read_date(str(clean[word].value)) for word in ("StudyDate", "SeriesDate"))
    assert first is not None
    assert second is not None
    assert (second - first).days == 7
    moved = (first - date(2020, 3, 3)).days
    assert -3652 <= moved <= -1
    nested = read_date(str(clean.SourceImageSequence[0].ContentDate))
    assert nested == date(2020, 3, 4) + timedelta(days=moved)
    assert str(clean.AcquisitionDateTime) == f"{first:%Y%m%d}101530.250+0100"
    assert clean.StudyTime == original.StudyTime
    assert not clean.get("PatientBirthDate")
    assert "StudyDate" not in stripped() or not stripped().StudyDate


def test_dates_of_a_device_do_not_tell_how_far_dates_moved() -> None:
    both = stripped("dates", "device")
    assert both.DateOfLastCalibration != "20200101"
    assert both.StationName == "CT-ROOM-2"


def test_a_key_makes_the_same_pseudonyms_again_and_patients_differ() -> None:
    one, again, other = stripped("dates"), stripped("dates"), stripped("dates", key=b"o" * 32)
    assert one.StudyDate == again.StudyDate
    assert one.SOPInstanceUID == again.SOPInstanceUID != other.SOPInstanceUID
    assert (
        HeaderStripper(key=KEY).pseudonym("a")
        == HeaderStripper(key=KEY).pseudonym("a")
        != HeaderStripper().pseudonym("a")
    )
    days = {str(stripped("dates", patient=f"P{number}").StudyDate) for number in range(5)}
    assert len(days) > 1


def test_a_descriptor_keeps_what_identifies_nobody() -> None:
    clean = stripped("descriptors")
    assert "thorax" in clean.StudyDescription
    assert "follow-up of nodule" in clean.StudyDescription
    assert len(clean.StudyDescription) <= 64
    assert "SeriesDescription" in clean.SourceImageSequence[0]
    assert "StudyDescription" not in stripped()


def test_what_was_done_is_written_down() -> None:
    clean = stripped("dates", "uids")
    assert "Retain UIDs Option" in clean.DeidentificationMethod
    assert all(len(text) <= 64 for text in clean.DeidentificationMethod)


def test_the_table_is_whole() -> None:
    rows = profile().values()
    assert len(rows) == 652
    assert {value for row in rows for option in OPTIONS if (value := row[option])} == {"K", "C"}
    assert all(row["dates"] != "K" for row in rows)


@given(
    st.dates(date(1900, 1, 1), date(2100, 1, 1)),
    st.integers(-4000, 4000),
    st.sampled_from(["", "10", "101530.25+0100"]),
)
def test_a_moved_date_can_be_moved_back(day: date, days: int, tail: str) -> None:
    value = f"{day:%Y%m%d}{tail}"
    moved = shift_date(value, days)
    assert moved is not None
    assert read_date(moved) == day + timedelta(days=days)
    assert shift_date(moved, -days) == value


@pytest.mark.parametrize("value", ["", "2004", "200401", "20041301", "19 May", "20040101x"])
def test_what_is_no_full_date_is_not_moved(value: str) -> None:
    assert shift_date(value, 3) is None
