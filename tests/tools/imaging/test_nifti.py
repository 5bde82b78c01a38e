"""NIfTI: orientation, scaling, spacing, text, bounds. The library that writes the files is not the one under test."""

import gzip
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overread.settings import Settings
from tools.errors import TooLargeError, UnreadableStudyError
from tools.imaging import read_study
from tools.imaging.nifti import slice_axis

_AXES = {"L": (0, -1), "R": (0, 1), "P": (1, -1), "A": (1, 1), "I": (2, -1), "S": (2, 1)}


def _volume() -> np.ndarray[Any, Any]:
    """A volume of (right, front, head) with a light in the corner that is right, front and head, and one left."""
    voxels = np.zeros((6, 7, 4), np.int16)
    voxels[5, 6, 3] = 1000
    voxels[0, 6, 3] = 500
    return voxels


def _image(codes: str, kind: Any = nibabel.Nifti1Image, unit: str | None = "mm", **fields: Any) -> Any:
    """The same volume, 0.5 x 0.7 x 3 mm, stored with its axes running to ``codes``."""
    voxels = _volume()
    zooms = (0.5, 0.7, 3.0)
    affine = np.eye(4)
    affine[:3, :3] = 0
    stored = voxels.transpose([_AXES[code][0] for code in codes])
    for axis, code in enumerate(codes):
        world, sign = _AXES[code]
        affine[world, axis] = sign * zooms[world]
        if sign < 0:
            stored = np.flip(stored, axis)
    image = kind(stored, affine)
    if unit is not None:
        image.header.set_xyzt_units(unit)
    for name, value in fields.items():
        image.header[name] = value
    return image


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("codes", ["RAS", "LAS", "LPS", "RPI", "SAR", "PIR", "ASL"])
def test_every_way_of_storing_it_is_shown_the_same(read: Any, stripper: Any, codes: str, kind: Any) -> None:
    study = read(_image(codes, kind, descrip=b"Doe, Jane").to_bytes())
    assert (study.frames, study.size, study.modality, study.header) == (4, (7, 6), None, None)
    assert study.spacing_mm == pytest.approx((0.7, 0.5))
    assert study.slice_spacing_mm == pytest.approx(3)
    # The patient's right is on the left of the picture, the front above, the head last.
    top = study.values(3)
    assert (top[0, 0], top[0, 5]) == (1000, 500)
    assert np.count_nonzero(top) == 2
    assert not study.values(0).any()
    assert stripper.metadata_seen == [{"descrip": "Doe, Jane"}]


def test_sagittal_and_coronal_slices_stand_upright(read: Any) -> None:
    for axis, zooms, front in ((0, (3.0, 0.7, 0.5), True), (1, (0.5, 3.0, 0.7), False)):
        image = nibabel.Nifti1Image(_volume(), np.diag([*zooms, 1]))
        study = read(image.to_bytes())
        assert study.frames == _volume().shape[axis]
        last = study.values(study.frames - 1)
        assert last[0, 0] == 1000
        assert (last[0, -1] == 500) is not front
        assert study.size == ((4, 7) if front else (4, 6))


@pytest.mark.parametrize(
    ("shape", "spacing", "axis"),
    [
        ((240, 240, 155), (1, 1, 1), 2),
        ((160, 256, 256), (1, 1, 1), 0),
        ((182, 218, 182), (1, 1, 1), 2),
        ((30, 512, 512), (0.5, 0.5, 5), 2),
        ((512, 24, 512), (0.5, 5, 0.5), 1),
        ((512, 1, 512), (0.5, 0.1, 0.5), 1),
        ((256, 256, 256), (1, 1.001, 1), 2),
    ],
)
def test_slices_run_along_the_coarsest_axis(shape: Any, spacing: Any, axis: int) -> None:
    assert slice_axis(shape, spacing) == axis


def test_slope_and_intercept_are_applied(read: Any) -> None:
    image = nibabel.Nifti1Image(np.array([[[0, 10], [20, 30]]], np.int16).repeat(3, 0), np.diag([1, 1, 4, 1]))
    data = bytearray(image.to_bytes())
    data[112:120] = np.array([2, -1024], "<f4").tobytes()
    study = read(bytes(data))
    assert study.values(0).tolist() == [[-984] * 3, [-1024] * 3]
    assert study.values(1).tolist() == [[-964] * 3, [-1004] * 3]


@pytest.mark.parametrize("unit", [None, "micron", "meter"])
def test_only_millimetres_are_a_spacing(read: Any, unit: str | None) -> None:
    study = read(_image("RAS", unit=unit).to_bytes())
    assert (study.spacing_mm, study.slice_spacing_mm) == (None, None)


def test_spacing_that_the_affine_does_not_bear_out_is_none(read: Any) -> None:
    assert read(_image("RAS", pixdim=[1, 1, 1, 1, 0, 0, 0, 0]).to_bytes()).spacing_mm is None


@pytest.mark.parametrize("dtype", ["<u1", "<i2", ">i2", "<u2", "<f4", ">f4", "<f8", "<i4", "<i8"])
def test_kinds_of_numbers(read: Any, dtype: str) -> None:
    voxels = np.arange(60).reshape(5, 4, 3).astype(dtype)
    header = nibabel.Nifti1Header(endianness=dtype[0])
    header.set_data_dtype(np.dtype(dtype))
    image = nibabel.Nifti1Image(voxels, np.diag([-1, -1, 3, 1]), header)
    assert read(image.to_bytes()).values(1).tolist() == voxels[:, :, 1].T.tolist()


def test_colour(read: Any) -> None:
    rgb = np.zeros((3, 4, 2), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    rgb["G"][2, 3, 1] = 200
    study = read(nibabel.Nifti1Image(rgb, np.diag([1, 1, 3, 1])).to_bytes())
    assert study.values(1) is None
    assert study.display(1)[0, 0].tolist() == [0, 200, 0]


def test_not_a_number_is_shown_as_nothing(read: Any) -> None:
    voxels = np.full((4, 4, 2), np.nan, np.float32)
    voxels[:2] = np.arange(16, dtype=np.float32).reshape(2, 4, 2)
    study = read(nibabel.Nifti1Image(voxels, np.diag([-1, -1, 3, 1])).to_bytes())
    assert np.isfinite(study.values(0)).all()
    assert not study.display(0)[:, 2:].any()


def test_first_volume_of_many_and_volumes_of_two_dimensions(read: Any) -> None:
    voxels = np.arange(240, dtype=np.int16).reshape(4, 5, 3, 4)
    assert read(nibabel.Nifti1Image(voxels, np.diag([-1, -1, 3, 1])).to_bytes()).values(2).tolist() == (
        voxels[:, :, 2, 0].T.tolist()
    )
    flat = read(nibabel.Nifti1Image(voxels[:, :, 0, 0], np.diag([-1, -1, 3, 1])).to_bytes())
    assert (flat.frames, flat.size, flat.slice_spacing_mm) == (1, (5, 4), None)


def test_all_text_goes_to_the_stripper(read: Any, stripper: Any) -> None:
    image = _image("RAS", db_name=b"Doe", aux_file=b"jane.dcm", intent_name=b"MRN 4711")
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"born 1970-01-02"))
    read(image.to_bytes())
    (seen,) = stripper.metadata_seen
    assert (seen["db_name"], seen["aux_file"], seen["intent_name"]) == ("Doe", "jane.dcm", "MRN 4711")
    assert "born 1970-01-02" in seen["extensions"]


def test_gzip_and_name_do_not_matter(tmp_path: Path, stripper: Any) -> None:
    path = tmp_path / "brain.dcm"
    path.write_bytes(gzip.compress(_image("LAS").to_bytes()))
    study = read_study(path, stripper)
    assert study.values(3)[0, 0] == 1000
    assert study.representative_frame() == 3


@pytest.mark.timeout(20)
def test_gzip_bomb(read: Any) -> None:
    volume = _image("RAS").to_bytes()
    bomb = gzip.compress(volume + bytes(50_000_000))
    with pytest.raises(TooLargeError, match="OVERREAD_MAX_INFLATED_BYTES"):
        read(bomb, max_inflated_bytes=1_000_000)
    with pytest.raises(UnreadableStudyError, match="no NIfTI"):
        read(gzip.compress(bytes(50_000_000)), max_inflated_bytes=1_000_000)
    with pytest.raises(UnreadableStudyError, match="too many parts"):
        read(gzip.compress(volume) + gzip.compress(b"") * 100_000)


def test_bounds_of_the_header(read: Any) -> None:
    for extent, words in (
        ((30_000, 30_000, 4), "OVERREAD_MAX_PIXELS"),
        ((60, 70, 40), "shorter"),
        ((0, 7, 4), "extent"),
    ):
        data = bytearray(_image("RAS").to_bytes())
        data[42:48] = np.array(extent, "<i2").tobytes()
        with pytest.raises(UnreadableStudyError, match=words):
            read(bytes(data))
    with pytest.raises(UnreadableStudyError, match="kind that is not read"):
        read(nibabel.Nifti1Image(np.ones((3, 3, 3), np.complex64), np.eye(4)).to_bytes())
    data = bytearray(_image("RAS").to_bytes())
    data[280:328] = bytes(48)
    with pytest.raises(UnreadableStudyError, match="orientation"):
        read(bytes(data))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    codes=st.sampled_from(["RAS", "LPS", "SAR"]),
    flips=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6),
    cut=st.one_of(st.just(1.0), st.floats(0, 1)),
    packed=st.booleans(),
)
def test_mutated_volumes(
    read: Any, capfd: pytest.CaptureFixture[str], codes: str, flips: list[tuple[int, int]], cut: float, packed: bool
) -> None:
    data = _image(codes).to_bytes()
    mutated = bytearray(gzip.compress(data, 1) if packed else data)
    for where, value in flips:
        mutated[where % len(mutated)] = value
    try:
        study = read(bytes(mutated[: max(1, int(cut * len(mutated)))]), max_inflated_bytes=10**6)
    except UnreadableStudyError:
        return
    assert study.display(study.representative_frame()).shape == (*study.size, 3)
    assert capfd.readouterr() == ("", "")


def test_limits_are_of_the_settings(stripper: Any, tmp_path: Path) -> None:
    (tmp_path / "v.nii").write_bytes(_image("RAS").to_bytes())
    with pytest.raises(TooLargeError, match="OVERREAD_MAX_FRAMES"):
        read_study(tmp_path / "v.nii", stripper, Settings(max_frames=3))
