"""``overread audit run --quick`` on the starter models, as a user runs it: every part works, and nothing leaks."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evaluation.trust.run import PARTS
from training.trust_manifest import main as write_manifest

# A whole run takes about a minute and a half on two idle cores; a busy machine may need several times that.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Path:
    import os

    place = tmp_path_factory.mktemp("trust")
    write_manifest(["--data", str(shared_data), "--out", str(place / "manifest.csv"), "--per-set", "12"])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OVERREAD_")}
    own = {"OVERREAD_STATE": str(place / "state"), "OVERREAD_CACHE": str(place / "cache")}
    words = ["audit", "run", "--data", place / "manifest.csv", "--out", place / "report", "--quick", "--jobs", "2"]
    done = subprocess.run([sys.executable, "-m", "serve.cli", *map(str, words)], env=kept | own, capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "report.html" in done.stdout
    return place / "report"


@pytest.fixture(scope="module")
def parts(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "report.json").read_text("utf-8"))["parts"]


def figures(part: dict[str, Any], begins: str) -> list[dict[str, Any]]:
    return [one for one in part["figures"] if one["name"].startswith(begins)]


def test_every_part_has_figures_and_none_is_left_out(parts: dict[str, Any]) -> None:
    assert list(parts) == list(PARTS)
    for name, part in parts.items():
        assert [one for one in part["figures"] if one["value"] is not None], name
        assert all(one["unshown"] for one in part["figures"]), name


def test_planted_identity_comes_out_of_no_interface(parts: dict[str, Any]) -> None:
    (control,) = figures(parts["privacy"], "control")
    assert control["value"] == 1
    leaks = figures(parts["privacy"], "planted values that came out")
    assert {one["name"]: one["note"] for one in leaks if one["value"]} == {}
    told = " ".join(one["name"] for one in leaks)
    for interface in (
        "agent",
        "API",
        "MCP over HTTP",
        "MCP on stdio, tool ask",
        "bytes that the server sent",
        "A2A",
        "chat page",
        "overread ask",
        "redact",
    ):
        assert interface in told
    assert all("200" in one["note"] for one in leaks if "deleted" in one["name"])
    assert all("exit code 0" in one["note"] for one in leaks if one["name"].endswith("stdout and stderr"))


def test_attacks_turn_round_more_than_noise_does(parts: dict[str, Any]) -> None:
    by_attack = figures(parts["attack"], "turned round by PGD")
    by_noise = figures(parts["attack"], "turned round by noise")
    assert by_attack
    assert sum(one["value"] for one in by_attack) > sum(one["value"] for one in by_noise)


def test_the_assistant_is_measured_with_and_without_its_tools(parts: dict[str, Any]) -> None:
    assert figures(parts["agent"], "gain of")
    assert figures(parts["agent"], "asked again")[0]["value"] == 1


def test_the_summary_names_what_was_not_done(folder: Path, parts: dict[str, Any]) -> None:
    text = (folder / "report.md").read_text("utf-8")
    assert "A quick run" in text
    assert "it came out of none" in text
    for part in parts.values():
        assert all(said in text for said in part["not_done"])
