import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Overread = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    with (tmp_path / "m.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "domain", "labels", "site"])
        for number in range(16):
            name = f"{number}.png"
            Image.fromarray(draw.integers(0, 256, (40, 40, 3), np.uint8)).save(tmp_path / name)
            writer.writerow([name, "dermoscopy", "melanoma" if number % 2 else "-", "ab"[number // 8]])
    return tmp_path / "m.csv"


def test_a_report_is_run_compared_and_gated(overread: Overread, manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    only = ("--only", "fairness", "--only", "segmentation")
    done = overread("audit", "run", "--data", manifest, "--out", out, "--quick", "--jobs", "2", *only)
    assert (done.returncode, done.stderr) == (0, "")
    assert "report.html" in done.stdout
    told = json.loads((out / "report.json").read_text("utf-8"))
    assert list(told["parts"]) == ["segmentation", "fairness"]
    assert told["about"]["quick"]
    done = overread("audit", "compare", out / "report.json", out / "report.json")
    assert done.returncode == 0
    assert "0 worse" in done.stdout
    done = overread("audit", "compare", out / "report.json", out / "report.json", "--json")
    assert json.loads(done.stdout) == []
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: [{figure: 'fairness/dermoscopy-findings/AUROC*', at_least: 0}]")
    assert overread("audit", "gate", out / "report.json", "--rules", rules).returncode == 0
    rules.write_text("rules: [{figure: 'fairness/dermoscopy-findings/AUROC*', at_least: 1.1}]")
    done = overread("audit", "gate", out / "report.json", "--rules", rules)
    assert done.returncode == 1
    assert "BROKEN  fairness/dermoscopy-findings/AUROC" in done.stdout


@pytest.mark.parametrize("rest", [(), ("--only", "beauty"), ("--images", "0")])
def test_bad_arguments_are_one_line(overread: Overread, tmp_path: Path, rest: tuple[str, ...]) -> None:
    (tmp_path / "m.csv").write_text("file\n")
    done = overread("audit", "run", "--data", tmp_path / "m.csv", "--out", tmp_path / "r", *rest)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_no_report_is_one_line(overread: Overread, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("{}")
    (tmp_path / "rules.yaml").write_text("rules: []")
    for words in (("compare", tmp_path / "r.json", tmp_path / "r.json"),
                  ("gate", tmp_path / "r.json", "--rules", tmp_path / "rules.yaml")):  # fmt: skip
        done = overread("audit", *words)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
