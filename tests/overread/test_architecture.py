"""The house's rules about itself: who may import whom, what names are free, what may be committed."""

import ast
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = {
    "overread": set(),
    "tools": {"overread"},
    "retrieval": {"overread"},
    "guardrails": {"overread"},
    "agent": {"overread", "tools", "retrieval", "guardrails"},
    "serve": {"overread", "tools", "retrieval", "guardrails", "agent"},
    "evaluation": {"overread", "tools", "retrieval", "guardrails", "agent", "serve"},
    "training": {"overread", "tools", "retrieval", "guardrails", "agent", "evaluation"},
}


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_lies_below_it(room: str) -> None:
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / room).rglob("*.py")
        for name in imports(path) & ROOMS.keys() - ROOMS[room] - {room}
        # The command line is the one place that may start a measurement.
        if not (room == "serve" and name == "evaluation" and "cli" in path.parts)
    }
    assert not wrong


def test_no_installed_distribution_shadows_a_room() -> None:
    installed = packages_distributions()
    others = {room: [d for d in installed.get(room, []) if d.lower() != "overread"] for room in ROOMS}
    assert not {room: found for room, found in others.items() if found}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_imported_from_here(room: str) -> None:
    where = subprocess.run(
        [sys.executable, "-c", f"import {room}; print({room}.__path__[0])"],
        capture_output=True, text=True, check=True, cwd="/",
    )  # fmt: skip
    assert Path(where.stdout.strip()) == ROOT / room


def test_modules_fit_in_the_head() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if (lines := len(path.read_text("utf-8").splitlines())) > 350
    }
    assert not long


FORBIDDEN = re.compile(r"pyp[i]\.org|pythonhoste[d]|npmj[s]\.|deb\.debia[n]|/wor[k]/|/roo[t]/|/opt/(?:wheel|pyp)s?")


def test_no_file_names_an_index_or_a_path_of_a_machine() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, cwd=ROOT, check=False)
    if listed.returncode:
        pytest.skip("this is no git checkout, so what is committed cannot be listed")
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.suffix in {".png", ".safetensors", ".jpg", ".dcm"} or not path.is_file():
            continue
        assert not FORBIDDEN.search(path.read_text("utf-8", errors="replace")), name
