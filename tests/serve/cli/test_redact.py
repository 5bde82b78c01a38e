import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pydicom
from pydicom.data import get_testdata_file

Overread = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_receipt_is_one_object_and_names_no_file(overread: Overread, tmp_path: Path) -> None:
    folder = tmp_path / "John_Smith"
    folder.mkdir()
    (folder / "John_Smith.txt").write_text("Seen by Dr. John Smith on 3 March 2020.", "utf-8")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    done = overread("redact", folder, "-o", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    receipt = json.loads(done.stdout)
    assert (receipt["redacted"], receipt["failed"]) == (1, 1)
    assert receipt["removed"]["date"] == 1
    assert "Smith" not in done.stdout + done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["0001.txt"]


def test_the_receipt_in_words(overread: Overread, tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"text": "Mr. John Smith coughs.", "id": 1}\n', "utf-8")
    done = overread("redact", tmp_path / "q.jsonl", "-o", tmp_path / "clean.jsonl")
    assert done.returncode == 0
    assert "1 name" in done.stdout
    assert "without a look: id" in done.stdout
    (line,) = (tmp_path / "clean.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line)["spans"][0]["kind"] == "name"


def test_all_bad_is_exit_code_2_and_one_line(overread: Overread, tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"text": "a"}\nJohn Smith\n', "utf-8")
    done = overread("redact", tmp_path / "q.jsonl", "-o", tmp_path / "clean.jsonl", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("overread: line 2: ")
    assert "Smith" not in done.stderr
    assert not (tmp_path / "clean.jsonl").exists()
    nowhere = overread("redact", tmp_path / "none.dcm", "-o", tmp_path / "out")
    assert (nowhere.returncode, nowhere.stdout, nowhere.stderr.count("\n")) == (2, "", 1)


def test_headers_keep_what_was_asked_for_and_a_key_makes_calls_agree(overread: Overread, tmp_path: Path) -> None:
    source = str(get_testdata_file("CT_small.dcm", download=False))
    seen = []
    for name in ("one", "two"):
        done = overread("redact", source, "-o", tmp_path / name, "--retain", "dates,device", "--key", tmp_path / "k")
        assert done.returncode == 0, done.stderr
        seen.append(pydicom.dcmread(tmp_path / name / "0001.dcm"))
    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o600
    first, second = seen
    assert first.SOPInstanceUID == second.SOPInstanceUID
    assert first.PatientID == second.PatientID
    assert first.StudyDate == second.StudyDate != ""
    assert first.LongitudinalTemporalInformationModified == "MODIFIED"
    codes = [item.CodeValue for item in first.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113108", "113107", "113109"]


def test_a_wrong_option_or_key_is_one_line(overread: Overread, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a", "utf-8")
    (tmp_path / "short").write_bytes(b"x")
    for more in (("--retain", "uids,names"), ("--key", tmp_path / "short"), ("--key", tmp_path / "no" / "k")):
        done = overread("redact", tmp_path / "a.txt", "-o", tmp_path / "out", *more)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), more
