"""A practice run: what is warmed really answers, and nothing of it stays."""

from pathlib import Path
from typing import get_args

from agent.parts import Parts, Stage
from agent.rehearsal import drawn_chest
from overread.settings import Settings


async def test_all_stages_work_and_nothing_is_written_down(tmp_path: Path) -> None:
    parts = Parts(Settings(state=tmp_path / "state", llm_base_url="http://127.0.0.1:9/v1"))
    assert [stage async for stage in parts.warm()] == [(stage, True) for stage in get_args(Stage)]
    assert not (tmp_path / "state" / "audit.jsonl").exists()


async def test_a_part_that_does_not_work_is_told_and_the_others_are_warmed(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "bad.md").write_text("no note")
    told = {stage: works async for stage, works in Parts(Settings(state=tmp_path / "state", knowledge=notes)).warm()}
    assert told == {"identity": True, "models": True, "index": False, "rehearsal": False}


async def test_the_drawn_image_is_taken_for_what_it_shows() -> None:
    import numpy as np

    (found,) = Parts(Settings()).identifier().identify([np.repeat(drawn_chest()[..., None], 3, axis=2)])
    assert (found.label, found.accepted) == ("xray/chest", True)
