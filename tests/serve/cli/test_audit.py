import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from guardrails.audit import AuditLog

Overread = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    log = AuditLog(tmp_path / "state")
    for number in range(4):
        log.append({"run": f"run-{number}"})
    return log


def test_a_whole_log_and_a_changed_one(overread: Overread, log: AuditLog) -> None:
    done = overread("audit", "verify")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ok       the chain is whole: 4 entries; the last is sha256:")
    log.path.write_bytes(log.path.read_bytes().replace(b"run-1", b"run-7"))
    done = overread("audit", "verify", log.path, "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["whole"], len(told["problems"])) == (False, 1)
    assert "line 2" in told["problems"][0]


def test_an_entry_is_shown(overread: Overread, log: AuditLog) -> None:
    name = log.append({"run": "run-x"})
    done = overread("audit", "show", name[:24])
    assert (done.returncode, done.stderr) == (0, "")
    entry = json.loads(done.stdout)
    assert (entry["audit_id"], entry["run"], entry["n"]) == (name, "run-x", 5)


@pytest.mark.parametrize("arguments", [("show", "sha256:00000000"), ("show", "x"), ("verify", "nowhere.jsonl")])
def test_bad_input_is_one_line(overread: Overread, log: AuditLog, arguments: tuple[str, ...]) -> None:
    done = overread("audit", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_no_log_yet(overread: Overread) -> None:
    done = overread("audit", "verify")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
