"""Every file that is no readable image ends in one clear error, whatever it is called."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from overread.settings import Settings
from tools.errors import TooLargeError, UnreadableStudyError
from tools.imaging import read_study


def _refused(path: Path, stripper: Any, **limits: int) -> str:
    with pytest.raises(UnreadableStudyError) as caught:
        read_study(path, stripper, Settings(**limits))
    message = str(caught.value)
    assert path.name not in message
    assert message.endswith(".")
    assert "\n" not in message
    return message


def test_missing_path(tmp_path: Path, stripper: Any) -> None:
    assert "no such file" in _refused(tmp_path / "Mustermann.dcm", stripper)


def test_folder(tmp_path: Path, stripper: Any) -> None:
    assert "folder" in _refused(tmp_path, stripper)


@pytest.mark.timeout(10)
def test_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path, stripper: Any) -> None:
    os.mkfifo(tmp_path / "pipe.dcm")
    assert "pipe" in _refused(tmp_path / "pipe.dcm", stripper)


def test_endless_device(stripper: Any) -> None:
    assert "device" in _refused(Path("/dev/zero"), stripper)


def test_impossible_path(stripper: Any) -> None:
    assert "path" in _refused(Path("a\0b.dcm"), stripper)


def test_empty_file(tmp_path: Path, stripper: Any) -> None:
    (tmp_path / "Mustermann.dcm").touch()
    assert "empty" in _refused(tmp_path / "Mustermann.dcm", stripper)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"Dear colleague, I saw Mr Mustermann today. " * 20, "text"),
        (b"%PDF-1.7\n" + bytes(200), "PDF"),
        (b"PK\x03\x04" + bytes(200), "zip archive is broken"),
        (b"\x1f\x8b\x08" + bytes(200), "gzip"),
        (bytes(344) + b"ni1\0" + bytes(40), "without its voxels"),
        (b"GIF89a" + bytes(200), "GIF"),
        (bytes(344) + b"n+1\0" + bytes(40), "NIfTI"),
        (bytes(range(256)) * 4, "no kind"),
        (bytes(128) + b"DICM", "no data set"),
        (bytes(128) + b"DICM" + bytes(400), "DICOM"),
    ],
)
def test_other_kinds_are_named(tmp_path: Path, stripper: Any, content: bytes, words: str) -> None:
    path = tmp_path / "Mustermann.dcm"
    path.write_bytes(content)
    assert words in _refused(path, stripper)


def test_kind_is_told_by_content_not_name(tmp_path: Path, stripper: Any) -> None:
    Image.fromarray(np.eye(8, dtype=np.uint8) * 255).save(tmp_path / "a.png")
    os.rename(tmp_path / "a.png", tmp_path / "a.dcm")
    assert read_study(tmp_path / "a.dcm", stripper).modality is None
    source = get_testdata_file("CT_small.dcm")
    assert isinstance(source, str)
    (tmp_path / "b.png").write_bytes(Path(source).read_bytes())
    assert read_study(tmp_path / "b.png", stripper).modality == "CT"


def test_file_over_the_bound_is_not_read(tmp_path: Path, stripper: Any) -> None:
    path = tmp_path / "Mustermann.dcm"
    with path.open("wb") as stream:
        stream.truncate(2**40)
    with pytest.raises(TooLargeError):
        read_study(path, stripper)


def test_study_id_is_random_and_hash_is_of_the_bytes(make_dicom: Callable[..., bytes], read: Any) -> None:
    data = make_dicom(np.zeros((4, 4), np.uint8), PatientID="4711")
    first, second = read(data), read(data)
    assert first.study_id != second.study_id
    assert first.content_hash == second.content_hash
    assert "4711" not in first.study_id
