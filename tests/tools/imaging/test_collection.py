"""Folders and archives of DICOM: series in order, identity of every file, counts that add up."""

import io
import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless

from overread.records import Contents
from overread.settings import Settings
from tools.errors import TooLargeError, UnreadableStudyError
from tools.imaging import read_study
from tools.imaging.study import Study

Make = Callable[..., bytes]


def _slice(make_dicom: Make, level: int, **header: Any) -> bytes:
    """A 4 x 5 slice whose values tell its level, 2.5 mm above the last one."""
    pixels = np.full((4, 5), level, np.int16)
    pixels[0, 0] = -1
    known = {
        "PatientID": "4711",
        "PatientName": "Doe^Jane",
        "StudyInstanceUID": "1.2.1",
        "SeriesInstanceUID": "1.2.1.1",
        "SOPInstanceUID": f"1.2.1.1.{level + 1000}",
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "ImagePositionPatient": [-10, 5, 2.5 * level - 40],
        "PixelSpacing": [0.5, 0.7],
        "InstanceNumber": level,
    }
    kept = {keyword: value for keyword, value in (known | header).items() if value is not None}
    return make_dicom(pixels, **kept)


def _report(make_dicom: Make, **header: Any) -> bytes:
    """A file with the header of a slice and neither pixels nor an extent."""
    dataset = dcmread(io.BytesIO(_slice(make_dicom, 90, **header)))
    for keyword in ("PixelData", "Rows", "Columns"):
        del dataset[keyword]
    stream = io.BytesIO()
    dataset.save_as(stream)
    return stream.getvalue()


def _folder(path: Path, files: list[bytes], seed: int = 0) -> Path:
    path.mkdir(exist_ok=True)
    names = np.random.default_rng(seed).permutation([f"{n:03d}" for n in range(len(files))])
    for name, data in zip(names, files, strict=True):
        (path / name).write_bytes(data)
    return path


def _zip(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def _levels(study: Study) -> list[float]:
    found = []
    for frame in range(study.frames):
        values = study.values(frame)
        assert values is not None
        found.append(float(values[2, 2]))
    return found


def _adds_up(contents: Contents) -> bool:
    counts = contents.model_dump(exclude={"files", "series"})
    return bool(contents.files == sum(counts.values()))


def test_a_folder_of_shuffled_files_is_one_study_in_order(tmp_path: Path, make_dicom: Make, stripper: Any) -> None:
    study = read_study(_folder(tmp_path, [_slice(make_dicom, level) for level in range(7)]), stripper)
    assert _levels(study) == list(range(7))
    assert (study.modality, study.frames, study.size) == ("CT", 7, (4, 5))
    assert study.spacing_mm == (0.5, 0.7)
    assert study.slice_spacing_mm == pytest.approx(2.5)
    assert study.contents == Contents(files=7, images=7)
    assert study.other_series == 0
    assert study.header is not None
    assert "PatientID" not in study.header
    assert len(stripper.datasets) == 7


def test_geometry_is_believed_before_instance_numbers(tmp_path: Path, make_dicom: Make, stripper: Any) -> None:
    files = [_slice(make_dicom, level, InstanceNumber=(level * 3) % 7) for level in range(7)]
    assert _levels(read_study(_folder(tmp_path, files), stripper)) == list(range(7))


def test_without_geometry_instance_numbers_order(tmp_path: Path, make_dicom: Make, stripper: Any) -> None:
    files = [
        _slice(make_dicom, level, ImagePositionPatient=None, AcquisitionTime=f"1{9 - level}0000") for level in range(5)
    ]
    study = read_study(_folder(tmp_path, files), stripper)
    assert _levels(study) == list(range(5))
    assert study.slice_spacing_mm is None


@pytest.mark.parametrize("number", [None, 1])
def test_without_instance_numbers_time_orders(
    tmp_path: Path, make_dicom: Make, stripper: Any, number: int | None
) -> None:
    files = [
        _slice(make_dicom, n, ImagePositionPatient=None, InstanceNumber=number, AcquisitionTime=f"1200{n:02d}.5")
        for n in range(5)
    ]
    assert _levels(read_study(_folder(tmp_path, files), stripper)) == list(range(5))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    levels=st.lists(st.integers(0, 39), min_size=1, max_size=8, unique=True),  # no step over 10 cm
    angles=st.tuples(*[st.floats(-3, 3)] * 3),
    order=st.randoms(use_true_random=False),
)
def test_any_stack_in_any_order_is_ordered_along_its_normal(
    make_dicom: Make, read: Any, levels: list[int], angles: tuple[float, float, float], order: random.Random
) -> None:
    row, column, normal = _rotation(*angles)
    files = [
        _slice(
            make_dicom,
            level,
            ImageOrientationPatient=[round(float(v), 6) for v in (*row, *column)],
            ImagePositionPatient=[round(float(v), 4) for v in 7 * row - 3 * column + (2.5 * level - 60) * normal],
            InstanceNumber=order.randint(0, 9),
        )
        for level in levels
    ]
    shuffled = order.sample(files, len(files))
    first = read(_zip({f"{n}.dcm": data for n, data in enumerate(files)}))
    again = read(_zip({f"{n}.dcm": data for n, data in enumerate(shuffled)}))
    assert _levels(first) == _levels(again) == sorted(levels)
    assert first.content_hash == again.content_hash
    assert first.header == again.header
    steps = set(np.diff(sorted(levels)))
    assert first.slice_spacing_mm == (pytest.approx(2.5 * steps.pop(), abs=0.01) if len(steps) == 1 else None)


def _rotation(a: float, b: float, c: float) -> tuple[Any, Any, Any]:
    def turn(angle: float, i: int, j: int) -> Any:
        matrix = np.eye(3)
        matrix[i, i] = matrix[j, j] = np.cos(angle)
        matrix[i, j], matrix[j, i] = -np.sin(angle), np.sin(angle)
        return matrix

    whole = turn(a, 0, 1) @ turn(b, 1, 2) @ turn(c, 0, 2)
    return whole[:, 0], whole[:, 1], np.cross(whole[:, 0], whole[:, 1])


def test_several_pictures_of_one_place_stay_together(tmp_path: Path, make_dicom: Make, stripper: Any) -> None:
    files = [
        _slice(make_dicom, level, ImagePositionPatient=[0, 0, 3 * (level // 2)], InstanceNumber=level)
        for level in range(6)
    ]
    study = read_study(_folder(tmp_path, files), stripper)
    assert _levels(study) == list(range(6))
    assert study.slice_spacing_mm is None


def test_a_missing_slice_leaves_no_slice_spacing(tmp_path: Path, make_dicom: Make, stripper: Any) -> None:
    study = read_study(_folder(tmp_path, [_slice(make_dicom, level) for level in (0, 1, 3, 4)]), stripper)
    assert study.slice_spacing_mm is None
    assert study.spacing_mm == (0.5, 0.7)


def test_largest_series_is_shown_and_localizers_are_not(tmp_path: Path, make_dicom: Make, stripper: Any) -> None:
    shown = [_slice(make_dicom, level, SeriesNumber=3) for level in range(4)]
    other = [_slice(make_dicom, level, SeriesInstanceUID="1.2.1.2") for level in range(20, 23)]
    scouts = [
        _slice(make_dicom, level, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], SeriesInstanceUID="1.2.1.3")
        for level in range(30, 39)
    ]
    study = read_study(_folder(tmp_path, shown + other + scouts), stripper)
    assert _levels(study) == list(range(4))
    assert study.other_series == 2
    assert study.contents == Contents(files=16, series=3, images=4, other_images=12)
    assert len(stripper.datasets) == 16


def test_a_localizer_in_the_same_series_is_no_slice_of_it(tmp_path: Path, make_dicom: Make, stripper: Any) -> None:
    crossing = _slice(make_dicom, 9, ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
    study = read_study(_folder(tmp_path, [*(_slice(make_dicom, level) for level in range(3)), crossing]), stripper)
    assert _levels(study) == [0, 1, 2]
    assert study.other_series == 1


def test_the_latest_examination_is_shown(tmp_path: Path, make_dicom: Make, stripper: Any) -> None:
    old = [_slice(make_dicom, level, StudyDate="20240105") for level in range(5)]
    new = [
        _slice(make_dicom, n, StudyInstanceUID="1.2.2", SeriesInstanceUID="1.2.2.1", StudyDate="20250105")
        for n in (50, 51)
    ]
    assert _levels(read_study(_folder(tmp_path, old + new), stripper)) == [50, 51]


def test_two_views_are_two_images_and_not_two_slices(tmp_path: Path, make_dicom: Make, stripper: Any) -> None:
    views = [
        _slice(make_dicom, n, Modality="DX", ImagePositionPatient=None, ViewPosition=view)
        for n, view in ((1, "PA"), (2, "LL"))
    ]
    study = read_study(_folder(tmp_path, views), stripper)
    assert (study.frames, study.other_series, study.context.view) == (1, 1, "PA")


def test_multiframe_file_in_a_folder_keeps_its_frames(tmp_path: Path, make_dicom: Make, stripper: Any) -> None:
    movie = make_dicom(np.arange(5, dtype=np.uint8)[:, None, None] * np.ones((1, 4, 4), np.uint8), PatientID="4711")
    study = read_study(_folder(tmp_path, [movie, _slice(make_dicom, 1)]), stripper)
    assert _levels(study) == list(range(5))


def test_what_is_no_slice_is_counted(tmp_path: Path, make_dicom: Make, stripper: Any) -> None:
    files = [_slice(make_dicom, level) for level in range(5)]
    report = _report(make_dicom, PatientName="Roe^Richard")
    folder = _folder(
        tmp_path / "study", [*files, files[2], _slice(make_dicom, 3, InstanceNumber=77), files[4][:-9], report]
    )
    (folder / "inner").mkdir()
    (folder / "inner" / "notes.txt").write_text("Dear colleague, Jane Doe " * 30)
    (folder / "inner" / "more.zip").write_bytes(_zip({"a.dcm": _slice(make_dicom, 60)}))
    (folder / "inner" / "nothing.dcm").touch()
    (folder / "inner" / "bad.dcm").write_bytes(bytes(128) + b"DICM" + bytes(100))
    os.mkfifo(folder / "inner" / "pipe")
    (folder / "round").symlink_to(folder)
    study = read_study(folder, stripper)
    assert _levels(study) == list(range(5))
    assert study.contents == Contents(files=14, images=5, duplicates=2, broken=4, without_picture=1, not_dicom=2)
    assert _adds_up(study.contents)
    assert {str(one.get("PatientName")) for one in stripper.datasets} >= {"Roe^Richard", "Doe^Jane"}


def test_slices_that_do_not_decode_are_left_out(tmp_path: Path, make_dicom: Make, stripper: Any) -> None:
    files = [_slice(make_dicom, level) for level in range(4)]
    broken = _encapsulated(make_dicom, 1)
    series = [*files[:1], *files[3:]]
    study = read_study(_folder(tmp_path, [*series, broken]), stripper)
    assert _levels(study) == [0, 3]
    assert study.contents.broken == 1
    assert _adds_up(study.contents)


def _encapsulated(make_dicom: Make, level: int) -> bytes:
    """A slice that passes every check that needs no decoder, and that no decoder can read."""
    dataset = dcmread(io.BytesIO(_slice(make_dicom, level)))
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    dataset.PixelData = encapsulate([b"\xff\x4f\xff\x51" + bytes(60)])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    stream = io.BytesIO()
    dataset.save_as(stream)
    return stream.getvalue()


def test_nothing_but_broken_pictures_is_one_error(tmp_path: Path, make_dicom: Make, stripper: Any) -> None:
    with pytest.raises(UnreadableStudyError):
        read_study(_folder(tmp_path, [_encapsulated(make_dicom, level) for level in range(3)]), stripper)


@pytest.mark.parametrize(
    "other",
    [
        {"PatientID": "4712"},
        {"PatientID": None, "PatientName": "Roe^Richard"},
        {"PatientID": None, "PatientName": None, "StudyInstanceUID": "1.2.2"},
        {"PatientID": None, "PatientName": None, "StudyInstanceUID": None},
    ],
)
def test_two_people_are_never_one_study(tmp_path: Path, make_dicom: Make, stripper: Any, other: dict[str, Any]) -> None:
    files = [_slice(make_dicom, 0), _slice(make_dicom, 1), _slice(make_dicom, 2, **other)]
    with pytest.raises(UnreadableStudyError, match="patient") as caught:
        read_study(_folder(tmp_path, files), stripper)
    for value in ("4711", "4712", "Doe", "Roe"):
        assert value not in str(caught.value)


def test_two_nameless_people_are_never_one_study(tmp_path: Path, make_dicom: Make, stripper: Any) -> None:
    nobody = {"PatientID": None, "PatientName": None}
    files = [_slice(make_dicom, n, StudyInstanceUID=f"1.2.{n}", **nobody) for n in range(2)]
    with pytest.raises(UnreadableStudyError, match="not certain"):
        read_study(_folder(tmp_path, files), stripper)


@pytest.mark.parametrize(
    "other", [{"PatientID": " 4711 "}, {"PatientID": None, "PatientName": "JANE DOE"}, {"PatientID": None}]
)
def test_one_person_written_in_two_ways(tmp_path: Path, make_dicom: Make, stripper: Any, other: dict[str, Any]) -> None:
    study = read_study(_folder(tmp_path, [_slice(make_dicom, 0), _slice(make_dicom, 1, **other)]), stripper)
    assert study.frames == 2


def test_a_report_of_somebody_else_is_an_error_too(tmp_path: Path, make_dicom: Make, stripper: Any) -> None:
    report = _report(make_dicom, PatientID="4712")
    with pytest.raises(UnreadableStudyError, match="more than one patient"):
        read_study(_folder(tmp_path, [_slice(make_dicom, 0), report]), stripper)


def test_what_the_slices_do_not_agree_on_is_not_known(tmp_path: Path, make_dicom: Make, stripper: Any) -> None:
    files = [
        _slice(make_dicom, 0, PatientSex="F", BodyPartExamined="CHEST"),
        _slice(make_dicom, 1, PatientSex="M", PixelSpacing=[0.6, 0.7]),
    ]
    study = read_study(_folder(tmp_path, files), stripper)
    assert (study.context.sex, study.context.body_part, study.spacing_mm) == (None, "CHEST", None)


def test_slices_are_read_when_asked_for_and_must_be_the_same(tmp_path: Path, make_dicom: Make, stripper: Any) -> None:
    folder = _folder(tmp_path, [_slice(make_dicom, level) for level in range(3)])
    study = read_study(folder, stripper)
    for path in folder.iterdir():
        path.write_bytes(_slice(make_dicom, 5, PatientID="4712"))
    assert study.values(1) is not None
    with pytest.raises(UnreadableStudyError, match="changed"):
        study.display(0)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "no DICOM image"),
        ({"a.txt": b"hello"}, "no DICOM image"),
        ({"a.dcm": bytes(128) + b"DICM"}, "can be read"),
        ({"a.zip": _zip({"b.zip": _zip({"c": b"d"})})}, "no DICOM image"),
    ],
)
def test_no_image_is_one_clear_error(
    tmp_path: Path, stripper: Any, read: Any, files: dict[str, bytes], words: str
) -> None:
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(UnreadableStudyError, match=words) as caught:
        read_study(tmp_path, stripper)
    assert "folder" in str(caught.value)
    with pytest.raises(UnreadableStudyError, match=words) as caught:
        read(_zip(files))
    assert "zip archive" in str(caught.value)


def test_a_zip_is_read_as_a_folder_is(tmp_path: Path, make_dicom: Make, stripper: Any, read: Any) -> None:
    files = [_slice(make_dicom, level) for level in range(5)]
    stored = _zip({f"DOE/{n}": data for n, data in enumerate(files)} | {"DOE/README": b"x"}, zipfile.ZIP_STORED)
    for study in (read(stored), read(_zip({f"DOE/{n}": data for n, data in enumerate(files)} | {"DOE/README": b"x"}))):
        assert _levels(study) == list(range(5))
        assert study.contents == Contents(files=6, images=5, not_dicom=1)
    folder = read_study(_folder(tmp_path, files), stripper)
    assert folder.content_hash == study.content_hash


@pytest.mark.parametrize("name", ["../../outside.dcm", "/outside.dcm", "C:\\outside.dcm", "a/../../outside.dcm"])
def test_names_that_point_outside_point_nowhere(tmp_path: Path, make_dicom: Make, read: Any, name: str) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert read(_zip({name: _slice(make_dicom, 3)})).frames == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_encrypted_zip(make_dicom: Make, read: Any) -> None:
    data = bytearray(_zip({"a.dcm": _slice(make_dicom, 0)}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(UnreadableStudyError, match="encrypted"):
        read(bytes(data))


@pytest.mark.timeout(20)
def test_zip_bomb_is_refused_before_it_is_inflated(read: Any) -> None:
    bomb = _zip({f"{n}.dcm": bytes(128) + b"DICM" + bytes(20_000_000) for n in range(3)})
    assert len(bomb) < 100_000
    with pytest.raises(TooLargeError, match="OVERREAD_MAX_STUDY_BYTES"):
        read(bomb, max_study_bytes=50_000_000)
    with pytest.raises(UnreadableStudyError):
        read(bomb, max_file_bytes=1_000_000)


def test_a_member_that_lies_about_its_size_is_broken(make_dicom: Make, read: Any) -> None:
    data = bytearray(_zip({"a.dcm": _slice(make_dicom, 0), "b.dcm": _slice(make_dicom, 1)}))
    directory = data.index(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = (600).to_bytes(4, "little")
    study = read(bytes(data))
    assert (study.frames, study.contents.broken) == (1, 1)


def test_method_without_a_bound_is_not_inflated(make_dicom: Make, read: Any) -> None:
    with pytest.raises(UnreadableStudyError, match="can be read"):
        read(_zip({"a.dcm": _slice(make_dicom, 0)}, zipfile.ZIP_LZMA))


def test_too_many_files(tmp_path: Path, make_dicom: Make, stripper: Any, read: Any) -> None:
    files = [_slice(make_dicom, level) for level in range(6)]
    with pytest.raises(TooLargeError, match="OVERREAD_MAX_FILES"):
        read_study(_folder(tmp_path, files), stripper, Settings(max_files=5))
    with pytest.raises(TooLargeError, match="OVERREAD_MAX_FILES"):
        read(_zip({str(n): data for n, data in enumerate(files)}), max_files=5)
    with pytest.raises(TooLargeError, match="OVERREAD_MAX_FRAMES"):
        read_study(tmp_path, stripper, Settings(max_frames=5))
    with pytest.raises(TooLargeError, match="OVERREAD_MAX_STUDY_BYTES"):
        read_study(tmp_path, stripper, Settings(max_study_bytes=1000))
    with pytest.raises(TooLargeError, match="OVERREAD_MAX_DECODED_BYTES"):
        read_study(tmp_path, stripper, Settings(max_decoded_bytes=200))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6), st.floats(0.3, 1))
def test_mutated_zip(make_dicom: Make, read: Any, flips: list[tuple[float, int]], cut: float) -> None:
    data = bytearray(_zip({str(level): _slice(make_dicom, level) for level in range(3)}))
    for where, value in flips:
        data[int(where * (len(data) - 1))] = value
    try:
        study = read(bytes(data[: int(len(data) * cut)]))
    except UnreadableStudyError:
        return
    assert _adds_up(study.contents)
    assert study.display(study.representative_frame()).shape == (*study.size, 3)
