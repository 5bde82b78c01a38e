"""PNG, JPEG and the like: values, pictures, metadata, broken files."""

import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage
from PIL import Image, PngImagePlugin

from tools.errors import TooLargeError, UnreadableStudyError
from tools.imaging import read_study

_SAMPLES = sorted(p for p in (Path(skimage.__file__).parent / "data").iterdir() if p.suffix in (".png", ".jpg", ".tif"))


def _bytes(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("path", _SAMPLES, ids=lambda path: path.name)
def test_sample_images(path: Path, stripper: Any, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        if path.name == "multipage_rgb.tif":  # Pillow has no plugin for its layout
            with pytest.raises(UnreadableStudyError):
                read_study(path, stripper)
        else:
            study = read_study(path, stripper)
            assert study.display().shape == (*study.size, 3)
            frames = 2 if path.name == "multipage.tif" else 1
            assert (study.spacing_mm, study.modality, study.frames, study.header) == (None, None, frames, None)
            assert len(stripper.metadata_seen) == 1
    assert capfd.readouterr() == ("", "")


def test_16_bit_png_keeps_its_values_and_is_stretched(read: Any) -> None:
    stored = np.linspace(1000, 5000, 4096).reshape(64, 64).astype(np.uint16)
    study = read(_bytes(Image.fromarray(stored)))
    np.testing.assert_array_equal(study.values(), stored)
    assert study.display().min() == 0
    assert study.display().max() == 255


def test_8_bit_grey_is_shown_as_it_is(read: Any) -> None:
    stored = np.arange(100, 164, dtype=np.uint8).reshape(8, 8)
    np.testing.assert_array_equal(read(_bytes(Image.fromarray(stored))).display()[:, :, 2], stored)


def test_colour_file_of_a_grey_image_is_grey(read: Any) -> None:
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert read(_bytes(Image.fromarray(np.dstack([grey] * 3)))).values().tolist() == grey.tolist()
    coloured = np.dstack([grey, grey, grey + 1])
    study = read(_bytes(Image.fromarray(coloured)))
    assert study.values() is None
    np.testing.assert_array_equal(study.display(), coloured)


_MODES = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK", "YCbCr"),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
    "WEBP": ("L", "RGB", "RGBA"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"),
}


@pytest.mark.parametrize(("kind", "mode"), [(kind, mode) for kind, modes in _MODES.items() for mode in modes])
def test_modes_and_formats(read: Any, kind: str, mode: str) -> None:
    grey = mode in ("1", "L", "LA", "I;16", "I", "F")
    image = Image.new("RGB", (9, 5), (200, 100, 50)).convert("L" if grey else "RGB").convert(mode)
    study = read(_bytes(image, kind))
    assert study.display().shape == (5, 9, 3)
    if not grey and (kind, mode) != ("WEBP", "L"):
        assert np.abs(study.display()[2, 4].astype(int) - (200, 100, 50)).max() <= 12


def test_transparent_pixels_are_black(read: Any) -> None:
    image = Image.new("RGBA", (4, 4), (255, 255, 255, 0))
    assert read(_bytes(image)).display().max() == 0


def test_pixels_stay_as_stored_whatever_exif_says(read: Any) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    study = read(_bytes(Image.new("L", (10, 4)), "JPEG", exif=exif))
    assert study.size == (4, 10)


def test_text_goes_to_the_stripper(read: Any, stripper: Any) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Patient", "Jane Doe")
    exif = Image.Exif()
    exif[0x010E] = "MRN 4711"
    read(_bytes(Image.new("L", (4, 4)), pnginfo=info, exif=exif))
    assert stripper.metadata_seen[0]["Patient"] == "Jane Doe"
    assert stripper.metadata_seen[0]["ImageDescription"] == "MRN 4711"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "TIFF"])
def test_cut_off_file_is_one_clear_error(read: Any, kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    data = _bytes(Image.fromarray(noise), kind)
    for part in (0.01, 0.3, 0.7):
        with pytest.raises(UnreadableStudyError):
            read(data[: int(len(data) * part) + 12])


def test_jpeg_of_endless_scans(read: Any) -> None:
    data = _bytes(Image.new("L", (16, 16)), "JPEG")
    with pytest.raises(UnreadableStudyError, match="scans"):
        read(data[:-2] + b"\xff\xda\x00\x08" * 100 + data[-2:])


def test_pages_of_a_tiff_are_frames(read: Any, stripper: Any) -> None:
    pages = [Image.fromarray(np.full((4, 5), 10 * page, np.uint16)) for page in range(1, 6)]
    data = _bytes(pages[0], "TIFF", save_all=True, append_images=pages[1:], description="Doe, Jane")
    study = read(data)
    assert [float(study.values(frame).mean()) for frame in (4, 0, 2)] == [50, 10, 30]
    assert (study.frames, study.size, study.contents.images) == (5, (4, 5), 1)
    assert stripper.metadata_seen[0]["ImageDescription"] == "Doe, Jane"
    with pytest.raises(TooLargeError, match="OVERREAD_MAX_FRAMES"):
        read(data, max_frames=4)
    with pytest.raises(TooLargeError, match="OVERREAD_MAX_DECODED_BYTES"):
        read(data, max_decoded_bytes=90)


def test_thumbnails_of_a_tiff_are_no_frames(read: Any, stripper: Any) -> None:
    page, small = Image.new("L", (9, 7), 80), Image.new("L", (3, 2))
    small.encoderinfo = {"description": "Roe, Richard"}
    study = read(_bytes(page, "TIFF", save_all=True, append_images=[small, page], description="Doe, Jane"))
    assert (study.frames, study.size) == (2, (7, 9))
    assert study.values(1).max() == 80
    assert {"Doe, Jane", "Roe, Richard"} <= set(stripper.metadata_seen[0].values())


def test_pages_in_a_ring_end(read: Any) -> None:
    page = Image.new("L", (9, 7), 80)
    data = bytearray(_bytes(page, "TIFF", save_all=True, append_images=[page]))
    first = int.from_bytes(data[4:8], "little")
    second = int.from_bytes(data[_next_page(data, first) :][:4], "little")
    end = _next_page(data, second)
    data[end : end + 4] = first.to_bytes(4, "little")
    assert read(bytes(data)).frames == 2


def _next_page(data: bytearray, directory: int) -> int:
    return directory + 2 + 12 * int.from_bytes(data[directory : directory + 2], "little")
