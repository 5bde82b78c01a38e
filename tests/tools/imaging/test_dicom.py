"""DICOM: values, pictures, spacing, context; every bundled and every shared file."""

import csv
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom import Dataset, Sequence
from pydicom.data import get_testdata_file
from pydicom.pixels import apply_color_lut, pixel_array
from pydicom.uid import ExplicitVRBigEndian

from overread.settings import Settings
from tools.errors import UnreadableStudyError
from tools.imaging import read_study
from tools.imaging.dataset import parse
from tools.imaging.pixels import stored_pixels

_BUNDLED = Path(pydicom.__file__).parent / "data" / "test_files"
_REFUSED = {
    "DICOMDIR-empty.dcm",
    # 12-bit JPEG
    "JPEG-lossy.dcm",
    "JPGExtended.dcm",
    # reports, plans, contours, waveforms
    "reportsi.dcm",
    "reportsi_with_empty_number_tags.dcm",
    "test-SR.dcm",
    "rtplan.dcm",
    "rtplan_truncated.dcm",
    "rtstruct.dcm",
    "waveform_ecg.dcm",
    # no or half a picture
    "MR_truncated.dcm",
    "ExplVR_BigEndNoMeta.dcm",
    "ExplVR_LitEndNoMeta.dcm",
    "UN_sequence.dcm",
    "empty_charset_LEI.dcm",
    "meta_missing_tsyntax.dcm",
    "nested_priv_SQ.dcm",
    "no_meta.dcm",
    "no_meta_group_length.dcm",
    "priv_SQ.dcm",
    # a codestream that claims 3.7 thousand million columns
    "JPEG2000-embedded-sequence-delimiter.dcm",
}
_FILES = sorted(path for path in _BUNDLED.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.name)
def test_every_bundled_file_reads_or_is_one_quiet_error(
    path: Path, stripper: Any, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with warnings.catch_warnings(), caplog.at_level(logging.DEBUG):
        warnings.simplefilter("default")
        try:
            study = read_study(path, stripper)
            for frame in {0, study.frames - 1}:
                picture = study.display(frame)
                assert picture.shape == (*study.size, 3)
                assert picture.dtype == np.uint8
                values = study.values(frame)
                assert values is None or (values.shape == study.size and values.dtype == np.float32)
            assert path.name not in _REFUSED
        except UnreadableStudyError:
            assert path.name in _REFUSED or path.suffix != ".dcm"
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_RLE.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_expb.dcm",
        "SC_rgb_jpeg_gdcm.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
        "SC_rgb_rle_32bit_2frame.dcm",
        "SC_rgb_jls_lossy_line.dcm",
        "SC_rgb_small_odd_big_endian.dcm",
        "J2K_pixelrep_mismatch.dcm",
        "liver_1frame.dcm",
        "rtdose_rle.dcm",
        "image_dfl.dcm",
    ],
)
def test_stored_samples_equal_those_of_pydicom(name: str) -> None:
    path = get_testdata_file(name)
    assert isinstance(path, str)
    parsed = parse(Path(path).read_bytes(), Settings())
    assert parsed.pixels is not None
    pixels = stored_pixels(parsed.header, parsed.pixels, parsed.syntax, Settings())
    last = pixels.layout.frames - 1
    ours, _ = pixels.frame(last)
    np.testing.assert_array_equal(ours, pixel_array(pydicom.dcmread(path), index=last, raw=True))


def test_palette_equals_that_of_pydicom(stripper: Any) -> None:
    path = get_testdata_file("examples_palette.dcm")
    assert isinstance(path, str)
    dataset = pydicom.dcmread(path)
    expected = apply_color_lut(dataset.pixel_array, dataset)
    study = read_study(Path(path), stripper)
    np.testing.assert_array_equal(study.display(), (expected >> 8).astype(np.uint8))
    assert study.values() is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("DICOMDIR", "index"),
        ("rtplan.dcm", "radiotherapy plan"),
        ("rtstruct.dcm", "contours"),
        ("reportsi.dcm", "report"),
        ("waveform_ecg.dcm", "waveform"),
        ("MR_truncated.dcm", "cut off"),
    ],
)
def test_the_error_says_what_the_file_is(name: str, words: str, stripper: Any) -> None:
    with pytest.raises(UnreadableStudyError, match=words):
        read_study(next(path for path in _FILES if path.name == name), stripper)


def test_every_shared_file(shared_data: Path, stripper: Any) -> None:
    with (shared_data / "dicom.csv").open(encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            path = shared_data / row["file"]
            if row["pixel_array"].startswith("no decode"):
                with pytest.raises(UnreadableStudyError, match="12-bit JPEG"):
                    read_study(path, stripper)
                continue
            study = read_study(path, stripper)
            assert study.modality == row["modality"]
            assert study.frames == int(row["frames"])
            picture = study.display(study.frames - 1)
            assert picture.max() > 0, row["file"]
            assert len(np.unique(picture)) > 1, row["file"]
            assert (study.values() is None) == (not row["photometric"].startswith("MONOCHROME"))


def test_spacing_of_shared_files(shared_data: Path, stripper: Any) -> None:
    expected = {
        "ct.dcm": (0.675781, 0.675781),  # Pixel Spacing
        "GH133.dcm": None,  # Imager Pixel Spacing alone
        "RG1_J2KI.dcm": None,  # zero
        "CT0012.fragmented_no_bot_jpeg_lossless.57.dcm": (0.388672, 0.388672),  # functional groups
        "examples_ybr_color.dcm": (pytest.approx(0.5105, abs=1e-4),) * 2,  # ultrasound regions in cm
        "examples_jpeg2k.dcm": None,
    }
    for name, spacing in expected.items():
        assert read_study(shared_data / "dicom" / name, stripper).spacing_mm == spacing, name


def test_hounsfield_units_and_window(make_dicom: Callable[..., bytes], read: Any) -> None:
    stored = np.array([[0, 1024], [1064, 3000]], np.int16)
    study = read(make_dicom(stored, RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=40, WindowWidth=400))
    np.testing.assert_array_equal(study.values(), stored - 1024.0)
    # PS3.3 C.11.2.1.2.1: ((x - 39.5) / 399 + 0.5) * 255
    np.testing.assert_array_equal(study.display()[:, :, 0], [[0, 102], [128, 255]])


def test_ct_without_window_gets_soft_tissue_only_in_hounsfield_units(
    make_dicom: Callable[..., bytes], read: Any
) -> None:
    stored = np.linspace(0, 3000, 64 * 64).reshape(64, 64).astype(np.int16)
    in_units = read(make_dicom(stored, RescaleSlope=1, RescaleIntercept=-1024)).display()
    unknown = read(make_dicom(stored)).display()
    other = read(make_dicom(stored, RescaleSlope=1, RescaleIntercept=-1024, RescaleType="US")).display()
    assert np.mean(in_units == 255) > 0.5  # bone and everything over 240 HU
    assert np.mean(unknown == 255) < 0.02
    np.testing.assert_array_equal(unknown, other)


@pytest.mark.parametrize(
    "header",
    [{"PhotometricInterpretation": "MONOCHROME1"}, {"PresentationLUTShape": "INVERSE"}],
)
def test_inverted_images_are_turned_bright(make_dicom: Callable[..., bytes], read: Any, header: dict[str, str]) -> None:
    study = read(make_dicom(np.array([[0, 255]], np.uint8), **header))
    assert study.display()[0, :, 0].tolist() == [255, 0]
    assert study.values().tolist() == [[0, 255]]


def test_padding_is_black_and_does_not_stretch_the_picture(make_dicom: Callable[..., bytes], read: Any) -> None:
    stored = np.full((20, 20), -2000, np.int16)
    stored[5:15, 5:15] = np.linspace(100, 200, 100).reshape(10, 10)
    study = read(make_dicom(stored, Modality="MR", PixelPaddingValue=-2000))
    assert (study.display()[0] == 0).all()
    assert study.display()[14, 14, 0] == 255
    assert study.values()[0, 0] == 100


def test_voi_table(make_dicom: Callable[..., bytes], read: Any) -> None:
    item = Dataset()
    item.LUTDescriptor = [4, 10, 12]
    item["LUTDescriptor"].VR = "US"
    item.add_new("LUTData", "US", [0, 1000, 2000, 4095])
    study = read(make_dicom(np.array([[0, 10], [12, 99]], np.uint16), VOILUTSequence=Sequence([item])))
    assert study.display()[:, :, 0].tolist() == [[0, 0], [125, 255]]


def test_window_that_shows_nothing_is_not_used(make_dicom: Callable[..., bytes], read: Any) -> None:
    stored = np.arange(256, dtype=np.uint16).reshape(16, 16)
    study = read(make_dicom(stored, WindowCenter=50_000, WindowWidth=100))
    assert np.ptp(study.display()) == 255


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.float32])
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"])
def test_sample_types(make_dicom: Callable[..., bytes], read: Any, dtype: Any, syntax: str) -> None:
    pixels = np.array([[0, 1, 2], [3, 5, 100]], dtype)
    np.testing.assert_array_equal(read(make_dicom(pixels, syntax)).values(), pixels.astype(np.float32))


def test_not_a_number_is_void(make_dicom: Callable[..., bytes], read: Any) -> None:
    study = read(make_dicom(np.array([[np.nan, 1], [2, np.inf]], np.float32)))
    assert np.isfinite(study.values()).all()
    assert study.display()[0, 0, 0] == 0


def test_frames_have_their_own_rescale(make_dicom: Callable[..., bytes], read: Any) -> None:
    def group(slope: float) -> Dataset:
        transformation, item = Dataset(), Dataset()
        transformation.RescaleSlope, transformation.RescaleIntercept = slope, 0
        item.PixelValueTransformationSequence = Sequence([transformation])
        return item

    pixels = np.ones((2, 4, 4), np.uint16)
    study = read(make_dicom(pixels, PerFrameFunctionalGroupsSequence=Sequence([group(2), group(3)])))
    assert [float(study.values(frame)[0, 0]) for frame in (0, 1)] == [2, 3]


@pytest.mark.parametrize("spacing", [["0", "0"], ["-1", "1"], ["1"], ["5000", "5000"]])
def test_absurd_spacing_is_not_known(make_dicom: Callable[..., bytes], read: Any, spacing: list[str]) -> None:
    assert read(make_dicom(np.zeros((2, 2), np.uint8), PixelSpacing=spacing)).spacing_mm is None


@pytest.mark.parametrize(
    "header",
    [
        {"Rows": 400},
        {"NumberOfFrames": 12},
        {"BitsAllocated": 12},
        {"BitsAllocated": 4096},
        {"SamplesPerPixel": 3},
        {"PhotometricInterpretation": "CMYK"},
        {"Rows": 0},
    ],
)
def test_lying_header(make_dicom: Callable[..., bytes], read: Any, header: dict[str, Any]) -> None:
    with pytest.raises(UnreadableStudyError):
        read(make_dicom(np.zeros((8, 8), np.uint8), **header))


def test_header_reaches_the_stripper_first_and_whole(
    make_dicom: Callable[..., bytes], read: Any, stripper: Any
) -> None:
    icon = Dataset()
    icon.Rows = 2
    icon.PixelData = b"\0" * 4
    icon["PixelData"].VR = "OB"
    data = make_dicom(
        np.zeros((2, 2), np.uint8), PatientName="Doe^Jane", PatientID="4711", IconImageSequence=Sequence([icon])
    )
    study = read(data)
    assert stripper.datasets[0].PatientName == "Doe^Jane"
    assert "PatientName" not in study.header
    assert "PixelData" not in study.header
    assert "IconImageSequence" not in study.header
    assert not hasattr(study.header, "file_meta")


def test_element_of_an_unknown_representation_still_reaches_the_stripper(
    make_dicom: Callable[..., bytes], read: Any, stripper: Any
) -> None:
    data = make_dicom(np.zeros((2, 2), np.uint8), PatientID="SECRET4711")
    broken = data.replace(b"\x10\x00\x20\x00LO", b"\x10\x00\x20\x00ZZ")
    assert broken != data
    read(broken)
    assert stripper.datasets[0]["PatientID"].value == b"SECRET4711"


def test_big_endian(make_dicom: Callable[..., bytes], read: Any) -> None:
    pixels = np.array([[1, 2], [3, 500]], ">u2")
    assert read(make_dicom(pixels, ExplicitVRBigEndian)).values()[1, 1] == 500
