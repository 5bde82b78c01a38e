"""Loose files put together to studies: by series, whatever their order, and nothing lost."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread, dcmwrite
from pydicom.uid import generate_uid

from overread.settings import Settings
from serve.phantoms import chest_film, head_slices
from tools.imaging.grouping import grouped, holds_dicom

LIMITS = Settings()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Four slices of two series each, two views of one film's series, a picture, a text and half a file."""
    folder = tmp_path_factory.mktemp("loose")
    slices = list(head_slices())[:4]
    film = dcmread(BytesIO(chest_film()))
    side = dcmread(BytesIO(chest_film()))
    side.StudyInstanceUID, side.SeriesInstanceUID = film.StudyInstanceUID, film.SeriesInstanceUID
    side.ViewPosition = "LL"
    made: dict[str, bytes | Any] = {f"a{n}": data for n, data in enumerate(slices)}
    other = generate_uid()
    for n, data in enumerate(slices):
        one = dcmread(BytesIO(data))
        one.SeriesInstanceUID, one.SOPInstanceUID = other, generate_uid()
        made[f"b{n}"] = one
    made |= {"film": film, "side": side, "text": b"no image", "half": slices[0][:2000], "empty": b""}
    for name, data in made.items():
        if isinstance(data, bytes):
            (folder / name).write_bytes(data)
        else:
            dcmwrite(folder / name, data)
    return {path.name: path for path in folder.iterdir()}


@given(order=st.permutations(["a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3", "film", "side", "text", "half", "empty"]))
def test_series_are_found_in_any_order(files: dict[str, Path], order: list[str]) -> None:
    groups = [{path.name for path in group} for group in grouped([files[name] for name in order], LIMITS)]
    assert sorted(map(sorted, groups)) == [
        ["a0", "a1", "a2", "a3"], ["b0", "b1", "b2", "b3"], ["empty"], ["film"], ["half"], ["side"], ["text"],
    ]  # fmt: skip
    firsts = [min(order.index(name) for name in group) for group in groups]
    assert firsts == sorted(firsts)


def test_a_file_given_twice_stays_with_its_series(files: dict[str, Path], tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.write_bytes(files["a1"].read_bytes())
    (group,) = grouped([files["a0"], files["a1"], again], LIMITS)
    assert len(group) == 3


def test_dicom_is_told_by_its_content(files: dict[str, Path]) -> None:
    assert holds_dicom([files["text"], files["a0"]], LIMITS)
    assert not holds_dicom([files["text"], files["empty"]], LIMITS)
