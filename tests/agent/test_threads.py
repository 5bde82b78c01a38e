"""A thread goes on after the process that began it was killed."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import skimage
from langgraph.checkpoint.base import empty_checkpoint

from agent.assistant import Assistant
from agent.checkpoints import older_threads, open_checkpoints, thread_names
from overread.settings import Settings

RETINA = Path(skimage.__file__).parent / "data" / "retina.jpg"

# Asks in one process and waits there, so that it can be killed with the thread still open.
PROGRAM = """
import asyncio, sys
from pathlib import Path
from agent.assistant import Assistant
from agent.request import Request
from overread.settings import Settings

async def main():
    async with Assistant(Settings(state=Path(sys.argv[1]), llm_base_url=None)) as assistant:
        images = tuple(Path(p) for p in sys.argv[3:])
        async for event in assistant.ask(Request(sys.argv[2], images, thread="mine")):
            print(event.model_dump_json(), flush=True)
        print("waiting", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def asked_and_killed(state: Path, question: str, *images: Path) -> list[dict[str, object]]:
    command = [sys.executable, "-c", PROGRAM, str(state), question, *map(str, images)]
    events = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "waiting\n":
                break
            events.append(json.loads(line))
        process.send_signal(signal.SIGKILL)
    return events


def test_a_second_question_builds_on_the_first(tmp_path: Path) -> None:
    first = asked_and_killed(tmp_path, "What kind of image is this?", RETINA)
    domain = next(event for event in first if event["type"] == "domain")
    second = asked_and_killed(tmp_path, "What is such an image used for, and what kind of image was it?")
    assert second[-1]["type"] == "done"
    claims = [event for event in second if event["type"] == "claim"]
    assert any(domain["id"] in claim["evidence"] for claim in claims)  # type: ignore[operator]
    known = {event["id"] for event in first if event["type"] == "passage"}
    later = [event for event in second if event["type"] == "passage"]
    texts = {event["text"]: event["id"] for event in first if event["type"] == "passage"}
    assert all(event["id"] not in known or texts.get(event["text"]) == event["id"] for event in later)


def test_the_threads_file_is_its_owners_alone(tmp_path: Path) -> None:
    asked_and_killed(tmp_path / "state", "What is pneumonia?")
    assert (tmp_path / "state" / "threads.sqlite").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


async def test_what_a_killed_process_left_is_forgotten_when_it_is_old(tmp_path: Path) -> None:
    settings = Settings(state=tmp_path, cache=tmp_path / "cache")
    async with open_checkpoints(settings) as saver:
        for name in ("chat-1", "chat-2", "mine"):
            config: Any = {"configurable": {"thread_id": name, "checkpoint_ns": ""}}
            await saver.aput(config, empty_checkpoint(), {}, {})
        between = time.time()
        config = {"configurable": {"thread_id": "chat-2", "checkpoint_ns": ""}}
        await saver.aput(config, empty_checkpoint(), {}, {})
        assert await older_threads(saver, "chat-", between) == ["chat-1"]
        assert await older_threads(saver, "chat-", between - 60) == []
    async with Assistant(settings) as assistant:
        await assistant.forget_older("chat-", between)
    assert await thread_names(settings) == ["chat-2", "mine"]
