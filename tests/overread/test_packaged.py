from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from overread.packaged import packaged_yaml

ROOMS = ("overread", "agent", "tools", "guardrails", "retrieval", "serve", "evaluation", "training")
FILES = [
    (room, str(path.relative_to(str(files(room)))))
    for room in ROOMS
    for path in sorted(Path(str(files(room))).rglob("*.yaml"))
]


@pytest.mark.parametrize(("room", "name"), FILES, ids=lambda part: str(part))
def test_our_own_files_say_the_same_to_the_quick_reader(room: str, name: str) -> None:
    text = files(room).joinpath(name).read_text("utf-8")
    assert packaged_yaml(room, name) == yaml.safe_load(text)
