"""``overread batch`` as a command."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from skimage import data

Overread = Callable[..., "subprocess.CompletedProcess[str]"]


def test_one_bad_file_stops_nothing_and_a_second_call_goes_on(overread: Overread, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "rows.jsonl"
    folder.mkdir()
    (folder / "a broken.dcm").write_bytes(b"\x00" * 128 + b"DICM nothing")
    Image.fromarray(data.coffee()).save(folder / "coffee.png")
    done = overread("batch", folder, "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "2 files: 0 answered, 1 refused, 1 not readable\n"
    Image.fromarray(data.retina()).save(folder / "retina.png")
    done = overread("batch", folder, "--out", out)
    assert done.returncode == 0, done.stderr
    made = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [row["file"] for row in made] == [str(folder / n) for n in ("a broken.dcm", "coffee.png", "retina.png")]
    assert [row["status"] for row in made] == ["error", "refused", "ok"]
    assert made[2]["domain"]["label"] == "fundus"
    assert made[1]["domain"]["accepted"] is False
    assert made[1]["refusal"]["reason"] == "out_of_domain"


def test_bad_arguments_are_one_line_and_exit_code_2(overread: Overread, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"x")
    for arguments in (
        [tmp_path / "none", "--out", tmp_path / "o.jsonl"],
        [tmp_path, "--out", tmp_path / "no" / "o.jsonl"],
        [tmp_path, "--out", tmp_path / "o.jsonl", "--question", " "],
        [tmp_path, "--out", tmp_path / "o.jsonl", "--context", "age=4"],
        [tmp_path],
    ):
        done = overread("batch", *arguments)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
        assert "Traceback" not in done.stderr
