from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import SecondaryCaptureImageStorage

from evaluation.burned_in import covered, drawn_ground, write_on
from guardrails.errors import DetectorError
from guardrails.phi.header import HeaderStripper
from guardrails.phi.identity import Identity
from guardrails.phi.pixels import (
    TextReader,
    WrittenText,
    identifying_boxes,
    is_harmless,
    may_hold_text,
    strip_above_regions,
)
from guardrails.phi.text import TextDetector
from overread.settings import Settings
from tools.imaging.reader import read_study


@pytest.fixture(scope="module")
def reader() -> TextReader:
    return TextReader()


@pytest.fixture(scope="module")
def detector() -> TextDetector:
    return TextDetector()


@pytest.mark.parametrize("seed", range(3))
def test_identity_is_covered_and_harmless_text_and_anatomy_stay(
    seed: int, reader: TextReader, detector: TextDetector
) -> None:
    generator = np.random.default_rng(seed)
    ground = drawn_ground(generator)
    written = write_on(ground, generator)
    assert len(written.identifying) == 4
    assert may_hold_text(None, written.picture)
    masks = identifying_boxes(written.picture, reader.read(written.picture), Identity(), detector)
    assert all(covered(box, masks) >= 0.9 for box in written.identifying)
    assert sum(covered(box, masks) > 0.5 for box in written.harmless) <= 1
    clean = identifying_boxes(ground, reader.read(ground), Identity(), detector)
    assert covered((0, 0, 640, 480), clean) <= 0.02


def test_a_name_of_harmless_words_is_found_when_the_header_has_it(detector: TextDetector) -> None:
    text = WrittenText((10, 10, 90, 30), "LONG, HEAD", 0.99)
    picture = np.zeros((100, 100, 3), np.uint8)
    assert identifying_boxes(picture, [text], Identity(), detector) == []
    identity = Identity()
    identity.add("Long^Head", "name")
    assert identifying_boxes(picture, [text], identity, detector) == [text.box]


def test_what_is_read_unsurely_on_anatomy_is_texture_and_on_flat_ground_is_masked(detector: TextDetector) -> None:
    text = WrittenText((10, 10, 90, 30), "xqzzy", 0.3)
    speckle = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)
    assert identifying_boxes(speckle, [text], Identity(), detector) == []
    assert identifying_boxes(np.zeros_like(speckle), [text], Identity(), detector) == [text.box]


@pytest.mark.parametrize(
    "words", ["MI 0.8 TIS 0.4", "R", "FR 33Hz", "12.0 cm", "LIVER long.", "W:400 L:40", "", "AP ERECT"]
)
def test_harmless(words: str) -> None:
    assert is_harmless(words)


@pytest.mark.parametrize("words", ["KOWALSKI", "1234567", "R KOWALSKI", "12345", "St. Brigid", "Ng, June"])
def test_not_harmless(words: str) -> None:
    assert not is_harmless(words)


def header(**values: object) -> Dataset:
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def test_where_text_is_looked_for() -> None:
    picture = np.zeros((50, 50, 3), np.uint8)
    assert may_hold_text(header(Modality="US"), picture)
    assert may_hold_text(header(Modality="XA", SOPClassUID=SecondaryCaptureImageStorage), picture)
    assert may_hold_text(header(Modality="CT", BurnedInAnnotation="YES"), picture)
    assert may_hold_text(header(Modality="CT", ImageType=["DERIVED", "SECONDARY", "SCREEN SAVE"]), picture)
    assert not may_hold_text(header(Modality="CT"), picture)
    assert not may_hold_text(Dataset(), picture)
    assert not may_hold_text(None, picture)


def region(top: object, bottom: object) -> Dataset:
    return header(SequenceOfUltrasoundRegions=Sequence([header(RegionLocationMinY0=top, RegionLocationMaxY1=bottom)]))


def test_the_strip_above_the_regions_goes_when_more_is_there_than_was_read() -> None:
    picture = np.zeros((200, 300, 3), np.uint8)
    assert strip_above_regions(region(40, 180), picture, []) == []
    picture[10:20, 20:120:3] = 255
    assert strip_above_regions(region(40, 180), picture, []) == [(0, 0, 300, 40)]
    assert strip_above_regions(region(40, 180), picture, [WrittenText((18, 8, 122, 22), "R", 1)]) == []
    assert strip_above_regions(region(40, 900), picture, []) == []
    assert strip_above_regions(None, picture, []) == []


def test_a_reader_that_fails_is_an_error_and_not_a_clean_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = TextReader()
    monkeypatch.setattr(broken, "_loaded", lambda: (_ for _ in ()).throw(RuntimeError("Jane Doe")))
    with pytest.raises(DetectorError) as caught:
        broken.read(np.zeros((10, 10, 3), np.uint8))
    assert "Jane" not in str(caught.value)


def test_a_large_shape_that_looks_like_one_letter_is_no_text(detector: TextDetector) -> None:
    picture = np.zeros((400, 400, 3), np.uint8)
    sector = WrittenText((60, 0, 340, 390), "全", 0.18)
    assert identifying_boxes(picture, [sector], Identity(), detector) == []
    small = WrittenText((60, 0, 80, 20), "全", 0.18)
    assert identifying_boxes(picture, [small], Identity(), detector) == [small.box]


def test_the_sector_of_an_echo_is_not_masked(shared_data: Path, detector: TextDetector, reader: TextReader) -> None:
    echo = read_study(shared_data / "dicom" / "US-PAL-8-10x-echo.dcm", HeaderStripper(Identity()), Settings())
    picture = echo.display(0)
    masks = identifying_boxes(picture, reader.read(picture), Identity(), detector)
    assert covered((220, 100, 420, 310), masks) == 0
