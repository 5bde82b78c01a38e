"""Cut and flipped bytes of small real files: a study or one typed error, nothing else, and no word on stderr."""

from pathlib import Path
from typing import Any

import pytest
import skimage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from overread.settings import Settings
from tools.errors import UnreadableStudyError
from tools.imaging.reader import read_study_bytes

_DICOM = (
    "MR_small.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "MR_small_RLE.dcm",
    "MR_small_jp2klossless.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "SC_rgb_small_odd_jpeg.dcm",
    "image_dfl.dcm",
    "liver_1frame.dcm",
    "nested_priv_SQ.dcm",
    "reportsi.dcm",
    "rtdose_1frame.dcm",
    "no_meta.dcm",
)
_ISOLATED = ("SC_rgb_jpeg_gdcm.dcm", "MR_small_jpeg_ls_lossless.dcm")
_RASTER = ("chessboard_GRAY.png", "microaneurysms.png", "multipage.tif", "rocket.jpg")


def _sources(names: tuple[str, ...]) -> list[bytes]:
    found = [get_testdata_file(name) for name in names]
    return [Path(path).read_bytes() for path in found if isinstance(path, str)]


_BLOBS = _sources(_DICOM) + [(Path(skimage.__file__).parent / "data" / name).read_bytes() for name in _RASTER]
_ISOLATED_BLOBS = _sources(_ISOLATED)


class _Taker:
    def dataset(self, dataset: Any) -> Any:
        return dataset

    def metadata(self, values: Any) -> None:
        pass


def _mutated(data: bytes, flips: list[tuple[float, int]], cut: float) -> bytes:
    out = bytearray(data)
    for where, value in flips:
        out[int(where * (len(out) - 1))] = value
    return bytes(out[: max(1, int(len(out) * cut))])


def _reads_or_refuses(data: bytes) -> None:
    try:
        study = read_study_bytes(data, _Taker(), Settings(max_pixels=10**7))
    except UnreadableStudyError:
        return
    assert study.display().shape == (*study.size, 3)
    values = study.values()
    assert values is None or values.shape == study.size


_FLIPS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=20)
_CUT = st.one_of(st.just(1.0), st.floats(0, 1))
# Headers are short beside pixels: some flips go to the first twentieth of the file.
_HEADER_FLIPS = st.lists(st.tuples(st.floats(0, 0.05), st.integers(0, 255)), max_size=5)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(_BLOBS), _FLIPS, _HEADER_FLIPS, _CUT)
def test_mutated_files(
    data: bytes, flips: list[tuple[float, int]], header_flips: list[tuple[float, int]], cut: float
) -> None:
    _reads_or_refuses(_mutated(data, flips + header_flips, cut))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(_ISOLATED_BLOBS), _FLIPS)
def test_mutated_files_of_the_decoders_that_crash(data: bytes, flips: list[tuple[float, int]]) -> None:
    _reads_or_refuses(_mutated(data, flips, 1.0))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=600), st.sampled_from([b"", bytes(128) + b"DICM", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"]))
def test_noise(noise: bytes, start: bytes) -> None:
    _reads_or_refuses(start + noise)


def test_a_crash_of_a_decoder_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A decoder process that dies by a signal is a broken picture, not a dead reader."""
    from tools.imaging import isolated

    crashing = tmp_path / "crash.py"
    crashing.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setattr(isolated, "__file__", str(crashing))
    with pytest.raises(UnreadableStudyError, match="broken"):
        read_study_bytes(_ISOLATED_BLOBS[0], _Taker(), Settings())
