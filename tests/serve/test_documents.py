"""docs/events.md names every event and every field, with nothing else."""

import re
from pathlib import Path
from typing import get_args

import pytest

from overread.events import BaseEvent, Event, OfImage

TEXT = (Path(__file__).parents[2] / "docs" / "events.md").read_text("utf-8")
EVENTS: dict[str, type[BaseEvent]] = {kind.model_fields["type"].default: kind for kind in get_args(get_args(Event)[0])}


def section(name: str) -> str:
    return re.split(r"^## ", TEXT.split(f"\n## {name}\n", 1)[1], maxsplit=1, flags=re.M)[0]


def first_table(text: str) -> list[str]:
    table = re.search(r"^\| field .*\n\|---.*\n((?:\|.*\n)+)", text, re.M)
    assert table
    return re.findall(r"^\| `(\w+)`", table.group(1), re.M)


@pytest.mark.parametrize("name", EVENTS)
def test_the_fields_of_an_event_are_all_told(name: str) -> None:
    common = set(OfImage.model_fields) if issubclass(EVENTS[name], OfImage) else set(BaseEvent.model_fields)
    own = set(EVENTS[name].model_fields) - common
    if name == "refusal":
        own |= {"study_id"}
    assert set(first_table(section(f"`{name}`"))) == own


def test_no_event_is_told_that_does_not_exist() -> None:
    assert set(re.findall(r"^## `(\w+)`$", TEXT, re.M)) == set(EVENTS)


def test_the_common_fields_are_told() -> None:
    assert set(first_table(section("Fields of every event"))) == set(BaseEvent.model_fields)
