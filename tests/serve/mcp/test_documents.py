"""docs/agents.md names every tool, every argument and every field of a result."""

import re
from pathlib import Path

import pytest

from overread.settings import Settings
from serve.answers import Answer
from serve.api.service import Service
from serve.mcp.calls import Calls
from serve.mcp.images import Images
from serve.mcp.kept import Kept
from serve.mcp.tools import Tools, described

TEXT = (Path(__file__).parents[3] / "docs" / "agents.md").read_text("utf-8")
ROWS = {
    cells[0].strip("` "): cells[1:]
    for cells in (line.strip("|").split(" | ") for line in TEXT.splitlines() if line.startswith("| `"))
    if len(cells) == 3
}
OF_A_RUN = {"ask", "analyze_image"}
"""Tools whose result is told in words of its own, below the table."""
OF_A_REPORT = {"run_id", "audit_id", "engine", "beyond"}
"""Fields of a report that its own page tells."""


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    folder = tmp_path_factory.mktemp("tools")
    service = Service.of(Settings(state=folder / "state", cache=folder / "cache"), folder)
    return Tools(Calls(service, alone=False), Images(service, files=False), Kept())


def told(text: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", text))


@pytest.mark.parametrize("name", described()["tools"])
def test_a_tool_is_told_with_all_its_fields(tools: Tools, name: str) -> None:
    tool = next(one for one in tools.all() if one.name == name)
    assert set(tool.parameters["properties"]) <= told(ROWS[name][0])
    assert tool.output_schema is not None
    if name not in OF_A_RUN:
        assert set(tool.output_schema["properties"]) - OF_A_REPORT <= told(ROWS[name][1])


def test_the_fields_of_an_answer_are_told() -> None:
    paragraph = next(part for part in TEXT.split("\n\n") if part.startswith("An **analysis**"))
    assert set(Answer.model_fields) <= told(paragraph)


def test_the_snippets_are_python() -> None:
    blocks = re.findall(r"(?:^    .*\n|^\n)+", TEXT, re.M)
    python = ["\n".join(line[4:] for line in block.splitlines()) for block in blocks if "import " in block]
    assert len(python) == 3
    for block in python:
        compile(block, "docs/agents.md", "exec")
