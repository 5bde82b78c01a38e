"""The lines of docs/serving.md that are said to work when pasted are pasted, one after the other, into a shell."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[3] / "docs" / "serving.md").read_text("utf-8")


def pasted() -> list[str]:
    part = PAGE.split("\n## Try it\n", 1)[1].split("\nWith keys", 1)[0]
    return re.findall(r"^    (.+)$", part, re.MULTILINE)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_each_line_works_when_pasted(api: Any, tmp_path: Path) -> None:
    lines = pasted()
    assert sum("curl" in line for line in lines) >= 7
    # As the page says: with keys, each line but the first needs one. A failure must stop the shell.
    keyed = [line.replace("curl ", 'curl --fail-with-body -H "Authorization: Bearer $KEY" ') for line in lines]
    script = "\n".join(f"{line}; echo" for line in keyed).replace("http://127.0.0.1:8000", api.url)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False,
        env={"PATH": path, "KEY": api.alice, "no_proxy": "*", "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-500:] + ran.stderr
    assert '"ready":true' in ran.stdout
    assert "data: [DONE]" in ran.stdout
    assert (tmp_path / "overlay.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads(ran.stdout.strip().splitlines()[-1])["deleted"] is True
