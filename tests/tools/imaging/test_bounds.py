"""Bombs are refused before they go off."""

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, Sequence, dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless

from overread.settings import Settings
from tools.errors import TooLargeError, UnreadableStudyError
from tools.imaging import bounds
from tools.imaging.bounds import check_extent, inflate

_SMALL = np.zeros((4, 4), np.uint8)


def test_pixels_frames_and_decoded_bytes(make_dicom: Callable[..., bytes], read: Any) -> None:
    frames = make_dicom(np.zeros((3, 8, 8), np.uint8))
    assert read(frames, max_pixels=64, max_frames=3, max_decoded_bytes=192).frames == 3
    for limit in ({"max_pixels": 63}, {"max_frames": 2}, {"max_decoded_bytes": 191}):
        with pytest.raises(TooLargeError):
            read(frames, **limit)


@pytest.mark.parametrize(("rows", "columns", "frames"), [(0, 1, 1), (1, 0, 1), (1, 1, 0), (-1, 1, 1)])
def test_extent_of_nothing_is_refused(rows: int, columns: int, frames: int) -> None:
    with pytest.raises(UnreadableStudyError):
        check_extent(rows, columns, frames, 1, Settings())


def test_deflated_file_is_inflated_up_to_the_bound(make_dicom: Callable[..., bytes], read: Any) -> None:
    data = make_dicom(np.arange(256, dtype=np.uint8).reshape(16, 16), DeflatedExplicitVRLittleEndian)
    assert read(data).values()[3, 4] == 3 * 16 + 4
    with pytest.raises(TooLargeError):
        read(data, max_inflated_bytes=100)


def test_inflate_is_exact_at_the_bound() -> None:
    engine = zlib.compressobj(wbits=-15)
    bomb = engine.compress(bytes(100_000)) + engine.flush()
    assert len(inflate(bomb, Settings(max_inflated_bytes=100_000))) == 100_000
    with pytest.raises(TooLargeError):
        inflate(bomb, Settings(max_inflated_bytes=99_999))
    with pytest.raises(UnreadableStudyError, match="cut off"):
        inflate(bomb[:-4], Settings(max_inflated_bytes=100_000))
    with pytest.raises(UnreadableStudyError, match="broken"):
        inflate(b"\xff" * 50, Settings())


def _nested(depth: int, undefined: bool) -> Dataset:
    item = Dataset()
    item.CodeValue = "1"
    for _ in range(depth):
        outer = Dataset()
        item.is_undefined_length_sequence_item = undefined
        outer.ConceptCodeSequence = Sequence([item])
        outer["ConceptCodeSequence"].is_undefined_length = undefined
        item = outer
    return item


@pytest.mark.parametrize("undefined", [True, False])
def test_sequence_depth(make_dicom: Callable[..., bytes], read: Any, undefined: bool) -> None:
    deep = make_dicom(_SMALL, ConceptNameCodeSequence=Sequence([_nested(20, undefined)]))
    assert read(deep, max_sequence_depth=30).size == (4, 4)
    with pytest.raises(TooLargeError, match="deep"):
        read(deep, max_sequence_depth=10)


def test_recursion_bomb(make_dicom: Callable[..., bytes], read: Any) -> None:
    opened = struct.pack("<HH2sHLHHL", 0x0040, 0xA043, b"SQ", 0, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF)
    with pytest.raises(TooLargeError, match="deep"):
        read(make_dicom(_SMALL) + opened * 50_000)


def test_endless_elements(make_dicom: Callable[..., bytes], read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_PARSER_READS", 3_000)
    opened = struct.pack("<HH2sHLHHL", 0x0040, 0xA043, b"SQ", 0, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF)
    tiny = struct.pack("<HH2sH", 0x0008, 0x0100, b"SH", 0)
    for tail in (tiny * 5_000, opened + tiny * 5_000):
        with pytest.raises(TooLargeError, match="too many elements"):
            read(make_dicom(_SMALL) + tail)


def test_png_that_claims_a_huge_size(read: Any) -> None:
    stream = BytesIO()
    Image.fromarray(_SMALL).save(stream, "PNG")
    data = bytearray(stream.getvalue())
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    with pytest.raises(TooLargeError):
        read(bytes(data))


def test_codestream_that_claims_another_size_than_the_header(read: Any) -> None:
    source = get_testdata_file("MR_small_jp2klossless.dcm")
    assert isinstance(source, str)
    dataset = dcmread(source)
    assert dataset.file_meta.TransferSyntaxUID == JPEG2000Lossless
    coded = bytearray(get_frame(dataset.PixelData, 0, number_of_frames=1))
    coded[8:16] = struct.pack(">II", 65_000, 65_000)
    coded[24:32] = struct.pack(">II", 65_000, 65_000)
    dataset.PixelData = encapsulate([bytes(coded)])
    stream = BytesIO()
    dataset.save_as(stream)
    with pytest.raises(UnreadableStudyError, match="another size"):
        read(stream.getvalue())
