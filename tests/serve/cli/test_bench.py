"""``overread bench guardrails``: the parts that are asked for, as a table or as JSON, or clear words why not."""

import io
import json
from pathlib import Path

import pytest

from evaluation.figure import Figure, at_least, share
from evaluation.guardrails_table import PARTS, WHEN_ASKED, missing
from serve.cli import main
from serve.cli.bench_table import as_json_text, show_table


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["bench", "guardrails", *arguments])
    return int(ended.value.code or 0)


def test_a_part_alone_as_json(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run("--data", str(tmp_path), "--only", "latency", "--quick", "--json") == 0
    told = capfd.readouterr()
    rows = json.loads(told.out)
    assert {row["part"] for row in rows} == {"latency"}
    assert {row["command"] for row in rows} == {"overread bench guardrails --only latency"}
    assert all(row["value"] is not None and row["n"] > 0 for row in rows)
    assert "[1/1] latency" in told.err


def test_missing_data_is_one_line(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run("--data", str(tmp_path)) == 2
    told = capfd.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert "phi/asq_phi_dev.jsonl" in told.err
    assert str(tmp_path) not in told.err


def test_a_part_that_does_not_exist_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    assert run("--only", "nothing") == 2
    told = capfd.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert "latency" in told.err


def test_what_installs_something_is_left_out_unless_asked(tmp_path: Path) -> None:
    assert {"peers"} == WHEN_ASKED
    assert missing(tmp_path, ["latency", "claims"]) == []
    assert "images" in missing(tmp_path, list(PARTS))


def test_the_table_says_what_was_met_and_what_was_not() -> None:
    found = {
        "text": [share("covered", 99, 100, at_least(0.97)), share("touched", 1, 2, at_least(0.9), "two only")],
        "kqa": [Figure("AUROC", None, 0, note="because")],
    }
    out = io.StringIO()
    show_table(out, found, quick=False)
    said = out.getvalue()
    assert "met" in said
    assert "missed" in said
    assert "1 of 2 aims met" in said
    assert "because" in said
    quick = io.StringIO()
    show_table(quick, found, quick=True)
    assert "missed" not in quick.getvalue()
    assert len(json.loads(as_json_text(found))) == 3


def test_every_part_gives_figures_on_few_cases(shared_data: Path) -> None:
    for name in ("text", "stream", "claims", "mirage", "kqa", "injection"):
        figures = PARTS[name].measure(shared_data, True)
        assert figures
        assert all(figure.value is not None or figure.note for figure in figures), name


def test_a_server_that_is_not_there_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", "serve", "--url", "http://127.0.0.1:9"])
    told = capfd.readouterr()
    assert (ended.value.code, told.out) == (2, "")
    assert told.err.count("\n") == 1
    assert "no server" in told.err
