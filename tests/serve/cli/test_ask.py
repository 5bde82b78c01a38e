import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from overread.events import DoneEvent, ErrorEvent, PassageEvent, RefusalEvent, StudyEvent, parse_event
from serve.examples import EXAMPLES

Overread = Callable[..., "subprocess.CompletedProcess[str]"]

KNOWLEDGE = "What is pneumonia?"


def start(environment: dict[str, str], *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "serve.cli", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip


def test_every_line_of_json_is_an_event(overread: Overread) -> None:
    done = overread("ask", KNOWLEDGE, "--json")
    events = [parse_event(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert done.stderr == ""
    assert [event.seq for event in events] == list(range(len(events)))
    assert any(isinstance(event, PassageEvent) for event in events)
    last = events[-1]
    assert isinstance(last, DoneEvent)
    assert last.answer == "".join(json.loads(line).get("text", "") for line in done.stdout.splitlines()
                                  if json.loads(line)["type"] == "delta")  # fmt: skip


def test_piped_text_is_plain_even_when_colour_is_forced(overread: Overread) -> None:
    done = overread("ask", KNOWLEDGE, FORCE_COLOR="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert "Passage   [S1]" in done.stdout
    assert done.stdout.endswith("Research use; not a medical device.\n")


def test_a_ct_slice_is_answered_without_a_header_value_and_drawn(overread: Overread, tmp_path: Path) -> None:
    import pydicom

    scan = EXAMPLES[0].path()
    seen = tmp_path / "seen.png"
    done = overread("ask", scan, EXAMPLES[0].question, "--json", "--overlay", seen)
    events = [parse_event(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert isinstance(events[0], StudyEvent)
    assert events[0].modality == "CT"
    header = pydicom.dcmread(scan)
    for value in (header.PatientName, header.PatientID, header.StudyInstanceUID, scan.stem):
        assert str(value) not in done.stdout
    with Image.open(seen) as picture:
        assert picture.mode == "RGB"
        assert min(picture.size) >= 128


def test_what_a_question_does_not_need_is_not_waited_for(environment: dict[str, str]) -> None:
    slow = ["openai", "torchvision", "transformers", "timm", "open_clip", "ray", "gradio", "presidio_analyzer"]
    code = f"""
import sys
from serve.cli import main
try:
    main(["ask", {str(EXAMPLES[0].path())!r}, {EXAMPLES[0].question!r}, "--json"])
finally:
    print("LOADED", [name for name in {slow!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "LOADED []"


def test_a_cat_is_refused_with_exit_code_0(overread: Overread) -> None:
    cat = EXAMPLES[-1]
    done = overread("ask", cat.path(), cat.question, "--json")
    events = [parse_event(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert any(isinstance(event, RefusalEvent) and event.reason == "out_of_domain" for event in events)
    assert isinstance(events[-1], DoneEvent)
    assert "chelsea" not in done.stdout


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "DOE_JANE.dcm"
    path.write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 40)
    return path


def test_an_unreadable_file_is_one_error_event(overread: Overread, broken: Path) -> None:
    done = overread("ask", broken, "What is this?", "--json")
    events = [parse_event(line) for line in done.stdout.splitlines()]
    assert done.returncode == 2
    assert [type(event) for event in events] == [ErrorEvent]
    assert done.stderr == ""
    assert "DOE" not in done.stdout


def test_an_unreadable_file_is_one_line_on_stderr(overread: Overread, broken: Path) -> None:
    done = overread("ask", broken, "What is this?")
    assert done.returncode == 2
    assert done.stdout.strip() == ""
    assert len(done.stderr.splitlines()) == 1
    assert "DOE" not in done.stderr


def test_among_several_a_broken_file_is_refused_and_the_others_go_on(overread: Overread, broken: Path) -> None:
    scan = EXAMPLES[0].path()
    done = overread("ask", broken, scan, "What is this?", "--json")
    kinds = [json.loads(line)["type"] for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert "refusal" in kinds
    assert "study" in kinds
    assert kinds[-1] == "done"


def test_ctrl_c_ends_the_stream_cleanly(environment: dict[str, str], silent_server: Any) -> None:
    process = start(environment | silent_server.environment(), "ask", KNOWLEDGE, "--json")
    silent_server.wait_for_question()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == ""
    assert out.endswith("\n")
    assert [parse_event(line) for line in out.splitlines()]
    silent_server.wait_for_hanging_up()


def test_ctrl_c_before_anything_happened(environment: dict[str, str]) -> None:
    process = start(environment, "ask", str(EXAMPLES[0].path()), "What is this?", "--json")
    assert process.stdout is not None
    assert parse_event(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == ""


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_reader_that_goes_away_ends_it_quietly(environment: dict[str, str], form: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "serve.cli", "ask", EXAMPLES[0].path(), "What is this?", *form],
        stdout=writer, stderr=subprocess.PIPE, text=True, env=environment, timeout=120, check=False,
    )  # fmt: skip
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode == 128 + signal.SIGPIPE


def test_a_frame_that_is_not_there_is_an_error(overread: Overread, tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    Image.fromarray(np.full((64, 64), 90, np.uint8)).save(path)
    done = overread("ask", path, "What is this?", "--frame", "7")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
