"""``overread ask … --report OUT.json``: the file has what was shown, and is refused before anything is computed."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import skimage

from agent.report import NOTICE, Report
from serve.cli.report_file import check_report_path
from serve.errors import ArgumentsError

RETINA = Path(skimage.__file__).parent / "data" / "retina.jpg"

Overread = Callable[..., "subprocess.CompletedProcess[str]"]


def test_the_file_has_the_sentences_that_were_shown(overread: Overread, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    done = overread("ask", RETINA, "Write a report", "--report", out)
    assert (done.returncode, done.stderr) == (0, "")
    report = Report.model_validate_json(out.read_text("utf-8"))
    assert [section.title for section in report.sections] == ["Indication", "Technique", "Findings", "Impression"]
    shown = " ".join(done.stdout.split())
    for section in report.sections:
        assert section.sentences
        assert f"{section.title} {' '.join(one.text for one in section.sentences)}" in shown
    assert report.sections[-1].sentences[-1].text == NOTICE
    assert report.withheld == 0
    assert RETINA.name not in out.read_text("utf-8")
    assert [path.name for path in tmp_path.glob("report*")] == ["report.json"]


@pytest.mark.parametrize(
    ("name", "question"),
    [("a.json", "Is there an effusion?"), ("a.txt", "Write a report"), ("no/a.json", "Write a report")],
)
def test_a_report_that_cannot_be_written_is_refused(tmp_path: Path, name: str, question: str) -> None:
    with pytest.raises(ArgumentsError, match=r"^--report "):
        check_report_path(tmp_path / name, question, [RETINA])


def test_a_report_does_not_overwrite_an_image(tmp_path: Path) -> None:
    image = tmp_path / "image.json"
    image.write_bytes(b"x")
    with pytest.raises(ArgumentsError, match="overwritten"):
        check_report_path(image, "Write a report", [image])
    check_report_path(tmp_path / "other.json", "Write a report", [image])
