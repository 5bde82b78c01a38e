"""Planted identity through the commands, each a process of its own: stdout, stderr, files, the state folder."""

import json
import os
import subprocess
import sys
from pathlib import Path

from evaluation.trust.bench import Bench
from evaluation.trust.leaks import Planted, leaked
from evaluation.trust.outcome import Measured

LIMIT_S = 300


def commands(bench: Bench, planted: Planted, file: Path, folder: Path) -> list[Measured]:
    """``ask``, ``batch``, ``segment`` and ``redact`` on the planted file, and what they leave behind."""
    place = folder / "commands"
    for name in ("state", "tmp", "out"):
        (place / name).mkdir(parents=True)
    # A row of a batch repeats the argument, as its user wrote it; so this file has a name that tells nothing.
    plain = place / "film.dcm"
    plain.write_bytes(file.read_bytes())
    text = place / "note.jsonl"
    text.write_text(json.dumps({"text": planted.question}) + "\n", "utf-8")
    out = place / "out"
    runs: dict[str, list[str | Path]] = {
        "ask --json": ["ask", file, planted.question, "--json", "--overlay", out / "seen.png"],
        "redact, a DICOM file": ["redact", file, "-o", out / "clean.dcm", "--json"],
    }
    if not bench.quick:
        runs |= {
            "ask, in a terminal": ["ask", file, planted.question, "--thread", "audit"],
            "ask, a file that is not there": ["ask", place / f"{planted.family}.png", planted.question],
            "ask, a file that is no image": ["ask", _bad(place, planted), planted.question, "--json"],
            "batch": ["batch", plain, "--out", out / "rows.jsonl", "--question", planted.question],
            "segment --json": ["segment", plain, "--box", "40,40,200,200", "-o", out / "mask.png", "--json"],
            "redact, a text": ["redact", text, "-o", out / "clean.jsonl", "--json"],
        }
    figures = []
    for name, words in runs.items():
        bench.step(f"overread {name}")
        done = subprocess.run(
            [sys.executable, "-m", "serve.cli", *map(str, words)], env=environment(bench, place), timeout=LIMIT_S,
            capture_output=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        figures.append(
            leaked(f"overread {name}: stdout and stderr", planted, planted.found_in(done.stdout + done.stderr),
                   f"exit code {done.returncode}")
        )  # fmt: skip
    return [
        *figures,
        leaked("commands: the files they wrote", planted, planted.found_under(out)),
        leaked("commands: the state folder", planted, planted.found_under(place / "state")),
        leaked("commands: temporary files left behind", planted, planted.found_under(place / "tmp")),
    ]


def _bad(place: Path, planted: Planted) -> Path:
    path = place / f"{planted.given}_{planted.family}.dcm"
    path.write_bytes(b"no image of " + planted.question.encode())
    return path


def environment(bench: Bench, place: Path) -> dict[str, str]:
    """The variables of a process whose state and temporary files lie in ``place``, with the bench's models."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OVERREAD_")}
    own = {"OVERREAD_STATE": str(place / "state"), "OVERREAD_CACHE": str(bench.settings.cache),
           "TMPDIR": str(place / "tmp")}  # fmt: skip
    if bench.settings.models is not None:
        own["OVERREAD_MODELS"] = str(bench.settings.models)
    return kept | own
