import io
import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydicom.data import get_testdata_file
from pydicom.filewriter import dcmwrite

from agent.errors import RedactionError
from agent.redaction import Receipt, Redactor, plan
from overread.settings import Settings

PLANTED = ("Kowalski", "Agnieszka", "MRN-0012345", "0012345", "19500302", "Zabrze")
FILES = sorted(
    str(path)
    for path in (Path(pydicom.__file__).parent / "data" / "test_files").glob("*.dcm")
    if path.stat().st_size < 400_000
)


def redact(out: Path, *paths: Path) -> list[Receipt]:
    receipts = list(Redactor(Settings()).run(plan(paths, out)))
    return sorted(receipts, key=lambda receipt: receipt.number)


def planted_dicom(path: Path) -> Path:
    name = get_testdata_file("CT_small.dcm", download=False)
    assert isinstance(name, str)
    ds = pydicom.dcmread(name)
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = "Kowalski^Agnieszka", "MRN-0012345", "19500302"
    ds.InstitutionName = "Zabrze Hospital"
    ds.preamble = b"Agnieszka Kowalski".ljust(128, b" ")
    dcmwrite(path, ds)
    return path


def picture(path: Path, **save: object) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (48, 40, 3), np.uint8)
    Image.fromarray(pixels).save(path, **save)
    return path


def test_a_dicom_file_keeps_its_pixels_and_nothing_of_the_patient(tmp_path: Path) -> None:
    source = planted_dicom(tmp_path / "Kowalski_Agnieszka.dcm")
    before = source.read_bytes()
    (receipt,) = redact(tmp_path / "out", source)
    assert source.read_bytes() == before
    written = tmp_path / "out" / "0001.dcm"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["0001.dcm"]
    data = written.read_bytes()
    assert data[:132] == bytes(128) + b"DICM"
    assert not any(value.encode() in data for value in PLANTED)
    clean, original = pydicom.dcmread(written), pydicom.dcmread(source)
    assert np.array_equal(clean.pixel_array, original.pixel_array)
    assert clean.PatientIdentityRemoved == "YES"
    assert clean.PatientID == str(clean.PatientName) != ""
    assert clean.file_meta.MediaStorageSOPInstanceUID == clean.SOPInstanceUID != original.SOPInstanceUID
    assert receipt.kind == "dicom"
    assert receipt.removed["header_removed"] > 5
    assert not any(value in receipt.model_dump_json() for value in PLANTED)


@pytest.mark.parametrize("name", FILES, ids=lambda name: Path(name).name)
def test_every_dicom_file_is_written_as_valid_dicom_or_told(name: str, tmp_path: Path) -> None:
    (receipt,) = redact(tmp_path / "out", Path(name))
    if receipt.status == "error":
        assert receipt.reason
        assert not list((tmp_path / "out").iterdir())
        return
    clean, original = pydicom.dcmread(tmp_path / "out" / "0001.dcm"), pydicom.dcmread(name, force=True)
    assert clean.SOPInstanceUID.is_valid
    if "regions_masked" in receipt.removed:
        assert clean.pixel_array.shape == original.pixel_array.shape
        return
    assert clean.file_meta.TransferSyntaxUID == getattr(
        original.file_meta, "TransferSyntaxUID", clean.file_meta.TransferSyntaxUID
    )
    try:
        expected = original.pixel_array
    except (AttributeError, ValueError, RuntimeError, KeyError, NotImplementedError):
        return
    assert np.array_equal(clean.pixel_array, expected)


def test_uids_and_patients_are_the_same_in_all_files_of_one_call(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    planted_dicom(folder / "a.dcm")
    planted_dicom(folder / "b.dcm")
    redact(tmp_path / "one", folder)
    redact(tmp_path / "two", folder)
    first, second, again = (
        pydicom.dcmread(tmp_path / name) for name in ("one/0001.dcm", "one/0002.dcm", "two/0001.dcm")
    )
    assert first.StudyInstanceUID == second.StudyInstanceUID != again.StudyInstanceUID
    assert first.PatientID == second.PatientID != again.PatientID


def test_a_text_beside_a_study_loses_what_the_header_named(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text("agnieszka was here with a cough. Seen at zabrze hospital.", "utf-8")
    planted_dicom(folder / "b.dcm")
    redact(tmp_path / "out", folder)
    text = (tmp_path / "out" / "0001.txt").read_text("utf-8")
    assert "agnieszka" not in text
    assert "zabrze" not in text
    assert "with a cough" in text


def test_jsonl_has_its_spans_on_the_original(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "text": "Dr. Kowalski saw Mr. John Smith, MRN 1234567, on 3 March 2020."},
        {"id": 2, "text": "A cough for two weeks. Müller’s sign 😀 Mr. John Smith"},
        {"id": 3, "text": ""},
    ]
    source = tmp_path / "q.jsonl"
    source.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    (receipt,) = redact(tmp_path / "clean.jsonl", source)
    out = [json.loads(line) for line in (tmp_path / "clean.jsonl").read_text("utf-8").splitlines()]
    assert [row["id"] for row in out] == [1, 2, 3]
    covered = [[row["text"][span["start"] : span["end"]] for span in done["spans"]]
               for row, done in zip(rows, out, strict=True)]  # fmt: skip
    assert any("Smith" in value for value in covered[0])
    assert any("1234567" in value for value in covered[0])
    assert any("Smith" in value for value in covered[1])
    assert covered[2] == []
    assert not any(word in row["text"] for row in out for word in ("Kowalski", "Smith", "1234567", "2020"))
    assert receipt.carried == ("id",)
    assert sum(receipt.removed.values()) == sum(len(row["spans"]) for row in out)


def test_pictures_lose_their_metadata_and_keep_their_pixels(tmp_path: Path) -> None:
    info = PngInfo()
    info.add_text("Patient", "Agnieszka Kowalski")
    info.add_itxt("Comment", "Zabrze", zip=True)
    exif = Image.Exif()
    exif[0x013B] = "Agnieszka Kowalski"
    png = picture(tmp_path / "a.png", pnginfo=info, exif=exif)
    jpg = picture(tmp_path / "b.jpg", exif=exif, comment=b"Zabrze", quality=90)
    progressive = picture(tmp_path / "c.jpg", progressive=True, comment=b"Kowalski")
    jpg.write_bytes(jpg.read_bytes() + b"Agnieszka behind the end")
    receipts = redact(tmp_path / "out", png, jpg, progressive)
    assert [receipt.status for receipt in receipts] == ["ok"] * 3
    assert all(receipt.removed["metadata_removed"] >= 1 for receipt in receipts)
    for source, name in ((png, "0001.png"), (jpg, "0002.jpg"), (progressive, "0003.jpg")):
        data = (tmp_path / "out" / name).read_bytes()
        assert not any(value.encode() in data for value in PLANTED)
        with Image.open(io.BytesIO(data)) as clean, Image.open(source) as original:
            assert np.array_equal(np.asarray(clean), np.asarray(original))
            assert not clean.getexif()
            assert set(clean.info) <= {
                "jfif",
                "jfif_version",
                "jfif_unit",
                "jfif_density",
                "progressive",
                "progression",
            }


def test_one_bad_file_stops_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text("Seen by Dr. John Smith.", "utf-8")
    (folder / "b.bin").write_bytes(b"\x00\x01\x02" * 100)
    (folder / "c.txt").write_bytes(b"caf\xe9 latin")
    (folder / "d.jsonl").write_text('{"text": "a"}\n{"no": 1}\n', "utf-8")
    (folder / "e.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"broken")
    (folder / "f.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"rubbish" * 9)
    receipts = redact(tmp_path / "out", folder)
    assert [receipt.status for receipt in receipts] == ["ok"] + ["error"] * 5
    assert "line 2" in str(receipts[3].reason)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["0001.txt"]


def test_a_long_text_is_cut_without_losing_a_character(tmp_path: Path) -> None:
    source = tmp_path / "long.txt"
    source.write_text("A cough for two weeks.\n" * 20_000 + "Mr. John Smith", "utf-8")
    redact(tmp_path / "out.txt", source)
    text = (tmp_path / "out.txt").read_text("utf-8")
    assert text.startswith("A cough for two weeks.\n" * 20_000)
    assert "Smith" not in text


def test_the_output_never_touches_the_input(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text("a", "utf-8")
    (tmp_path / "link").symlink_to(folder)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x", "utf-8")
    for paths, out, said in (
        ([folder], folder, "lies in the input"),
        ([folder], folder / "out", "lies in the input"),
        ([folder], tmp_path / "link" / "out", "lies in the input"),
        ([folder / "a.txt"], folder / "a.txt", "lies in the input"),
        ([folder], tmp_path / "full", "new or empty"),
        ([folder], tmp_path, "new or empty"),
        ([tmp_path / "gone"], tmp_path / "out", "not there"),
    ):
        with pytest.raises(RedactionError, match=said):
            plan(paths, out)
    (tmp_path / "hard.txt").hardlink_to(folder / "a.txt")
    with pytest.raises(RedactionError, match="is the input"):
        plan([folder / "a.txt"], tmp_path / "hard.txt")
