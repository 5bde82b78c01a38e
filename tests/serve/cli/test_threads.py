import json
import subprocess
from collections.abc import Callable

Overread = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_thread_is_listed_and_removed(overread: Overread) -> None:
    assert json.loads(overread("threads", "list", "--json").stdout) == []
    assert overread("ask", "What is pneumonia?", "--thread", "case-7").returncode == 0
    listed = overread("threads", "list")
    assert (listed.returncode, listed.stdout, listed.stderr) == (0, "case-7\n", "")
    wrong = overread("threads", "remove", "case-8")
    assert (wrong.returncode, wrong.stdout, wrong.stderr.count("\n")) == (2, "", 1)
    removed = overread("threads", "remove", "case-7")
    assert (removed.returncode, removed.stdout) == (0, "")
    assert overread("threads", "list").stdout == ""
