"""What the code imports is what the project says it needs."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS = ("overread", "agent", "tools", "guardrails", "retrieval", "serve", "evaluation", "training")
BESIDES = {
    "dicomanonymizer", "mapie", "crepes", "nemoguardrails", "guardrails_ai", "onnx", "opentelemetry", "playwright",
    "schemathesis",
}  # fmt: skip
"""Peers, cross-checks and a browser that are looked for where they may be, and tracing's exporter: none is needed."""


def test_every_import_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {plain(re.split(r"[\[><=~!; ]", line)[0]) for line in project["dependencies"]}
    owners = packages_distributions()
    missing = {}
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            for name in imported(path) - BESIDES - set(ROOMS) - sys.stdlib_module_names:
                if not declared & {plain(owner) for owner in owners.get(name, [name])}:
                    missing[name] = str(path.relative_to(ROOT))
    assert missing == {}


def imported(path: Path) -> set[str]:
    """The top-level modules that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
