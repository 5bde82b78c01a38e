import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Overread = Callable[..., "subprocess.CompletedProcess[str]"]
GOOD = [json.dumps({"score": n / 100, "correct": n > 40, "task": "chest" if n % 2 else "skin"}) for n in range(100)]


def written(folder: Path, lines: list[str]) -> Path:
    path = folder / "scores.jsonl"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_one_object_a_group_and_a_kept_certificate(overread: Overread, tmp_path: Path) -> None:
    file, kept = written(tmp_path, GOOD), tmp_path / "kept.json"
    done = overread("calibrate", file, "--alpha", "0.2", "--delta", "0.2", "--group", "task", "--json", "-o", kept)
    assert done.returncode == 0, done.stderr
    array = json.loads(done.stdout)
    assert [one["group"] for one in array] == ["skin", "chest"]
    fields = {"group", "threshold", "alpha", "delta", "n", "answered", "reason"}
    assert all(set(one) == fields for one in array)
    assert all(one["n"] == 50 and one["threshold"] > 0.25 for one in array)
    stored = json.loads(kept.read_text("utf-8"))
    assert [{key: group[key] for key in fields} for group in stored["groups"]] == array
    assert {model["name"] for model in stored["models"]} >= {"domain-clip"}


def test_the_bound_comes_first_and_a_small_group_has_no_certificate(overread: Overread, tmp_path: Path) -> None:
    done = overread("calibrate", written(tmp_path, GOOD[-10:]), "--alpha", "0.1", "--delta", "0.1")
    assert done.returncode == 0
    first, *rest = done.stdout.splitlines()
    assert "at least 22 answers" in first
    assert "never" in rest[-1]
    assert "too few rows: 10" in rest[-1]


@pytest.mark.parametrize(
    ("line", "options", "said"),
    [
        ("{", [], "line 101: it is not JSON"),
        ('{"score": "high", "correct": true}', [], 'line 101: it needs "score"'),
        ('{"score": true, "correct": true}', [], 'line 101: it needs "score"'),
        ('{"score": 1e999, "correct": true}', [], 'line 101: it needs "score"'),
        ('{"score": 1, "correct": "yes"}', [], 'line 101: it needs "correct"'),
        ('{"score": 1, "correct": true}', ["--group", "task"], "line 101: it has no value in the column"),
        (GOOD[0], ["--alpha", "1.5"], "between 0 and 1"),
        (GOOD[0], ["--model", "no-such"], "names no model"),
    ],
)
def test_a_bad_line_is_one_error(overread: Overread, tmp_path: Path, line: str, options: list[str], said: str) -> None:
    file = written(tmp_path, [*GOOD, line])
    done = overread("calibrate", file, "--alpha", "0.1", "--delta", "0.1", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
