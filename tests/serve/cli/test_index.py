import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

Overread = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "sarcoidosis.md").write_text("# Sarcoidosis\n\n## Confirming it\n\nIt is confirmed by biopsy.\n")
    (folder / "goitre.txt").write_text("Goitre\n\nA lack of iodine causes goitre.\n")
    return folder


def test_a_library_is_made_searched_and_emptied(overread: Overread, documents: Path, tmp_path: Path) -> None:
    base = str(tmp_path / "base")
    added = overread("index", "add", str(documents), "--base", base, "--no-dense")
    assert (added.returncode, added.stdout) == (0, "2 documents added\n"), added.stderr
    found = json.loads(overread("index", "search", "What causes goitre?", "--json", "--base", base).stdout)
    (passage,) = found["passages"]
    assert sorted(passage) == ["id", "score", "source", "text", "title", "url"]
    assert passage["text"] == "A lack of iodine causes goitre."
    (detail,) = found["details"]
    assert detail["sentences"][0]["text"] == passage["text"]
    assert "biopsy" in overread("index", "search", "sarcoidosis", "--base", base).stdout
    facts = json.loads(overread("index", "info", "--json", "--base", base).stdout)
    assert (facts["documents"], facts["passages"], facts["encoded"]) == (2, 2, 0)
    removed = overread("index", "remove", detail["document"], "--base", base)
    assert removed.stdout == f"removed {detail['document']}  Goitre\n"
    assert overread("index", "search", "goitre", "--base", base).stdout == "nothing was found\n"


def test_one_file_that_cannot_be_read_stops_nothing(overread: Overread, documents: Path, tmp_path: Path) -> None:
    (documents / "broken.pdf").write_bytes(b"%PDF-1.7\nno")
    base = str(tmp_path / "base")
    whole = overread("index", "add", str(documents), "--base", base, "--no-dense")
    assert (whole.returncode, whole.stdout) == (0, "2 documents added, 1 not read whole\n")
    assert "broken.pdf was not read whole: it is a broken PDF" in whole.stderr
    assert len(whole.stderr.splitlines()) == 1
    named = overread("index", "add", str(documents / "broken.pdf"), "--base", base, "--no-dense", "--json")
    assert named.returncode == 2
    assert len(json.loads(named.stdout)["problems"]) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "nowhere"], "no file or folder"),
        (["search", "goitre"], "overread index add"),
        (["search", " "], "empty"),
        (["info"], "overread index add"),
        (["remove", "0123456789ab"], "no knowledge base"),
        (["search", "goitre", "-k", "0"], "-k"),
    ],
)
def test_a_fault_is_one_line(overread: Overread, tmp_path: Path, arguments: list[str], said: str) -> None:
    done = overread("index", *arguments, "--base", str(tmp_path / "base"))
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_ctrl_c_leaves_a_base_that_the_same_command_completes(
    overread: Overread, documents: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    overread("index", "add", str(documents), "--base", str(base), "--no-dense")
    many = tmp_path / "many"
    many.mkdir()
    for n in range(3_000):
        (many / f"{n}.txt").write_text(f"Document {n}\n\n" + f"Finding{n} is seen in disease{n % 7}. " * 40)
    command = [sys.executable, "-m", "serve.cli", "index", "add", str(many), "--base", str(base), "--no-dense"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ})
    while not (base / "staging").is_dir() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, out, error) == (130, "", "")
    assert "iodine" in overread("index", "search", "goitre", "--base", str(base)).stdout
    assert overread("index", "add", str(many), "--base", str(base), "--no-dense").returncode == 0
    assert "Document 2999" in overread("index", "search", "finding2999", "--base", str(base), "--no-dense").stdout
