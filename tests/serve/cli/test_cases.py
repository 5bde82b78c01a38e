import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import skimage

Overread = Callable[..., "subprocess.CompletedProcess[str]"]
RETINA = str(Path(skimage.__file__).parent / "data" / "retina.jpg")
CAT = str(Path(skimage.__file__).parent / "data" / "chelsea.png")


def test_a_case_is_added_listed_and_removed(overread: Overread) -> None:
    added = overread("cases", "add", RETINA, "--label", "drusen", "--json")
    assert added.returncode == 0, added.stderr
    (case,) = json.loads(added.stdout)["added"]
    assert (case["label"], case["domain"]) == ("drusen", "fundus")
    assert case["id"] in overread("cases", "list").stdout
    assert overread("cases", "remove", case["id"]).stdout == f"removed {case['id']}\n"
    assert json.loads(overread("cases", "list", "--json").stdout) == {"cases": []}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", CAT, "--label", "drusen"], "was not added"),
        (["add", "nowhere.png", "--label", "drusen"], "no file"),
        (["add", RETINA], "label"),
        (["remove", "0123456789abcdef"], "overread cases list"),
    ],
)
def test_a_fault_is_one_line(overread: Overread, arguments: list[str], said: str) -> None:
    done = overread("cases", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
