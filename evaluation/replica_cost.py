"""What one replica's work costs: processor seconds and bytes for one of each, the inputs of docs/scaling.md.

    python -m evaluation.replica_cost [--repeats 20] [--image FILE --context age_band=adult,view=PA]

Processor time is measured, not the clock, so that what else the machine does matters little. One thread.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from agent.assistant import Assistant
from agent.parts import Parts
from agent.request import Request
from overread.records import Context
from overread.settings import Settings
from tools.passes import Networked

QUESTIONS = (
    "How is a pneumothorax confirmed?",
    "What does a pleural effusion look like?",
    "What is pneumonia?",
    "How is tuberculosis confirmed?",
)
BATCHES = (1, 8, 32)
WARM = 2
CHUNK = 270
"""Bytes of a chunk of a stream beside its event."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description="What one replica's work costs.")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--image", type=Path, help="Ask about this image, too, and nothing else is measured.")
    parser.add_argument("--context", default="", help="What is known of it: age_band=adult,view=PA")
    given = parser.parse_args(arguments)

    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        chosen = Settings(state=Path(folder), llm_base_url=None)
        parts = Parts(chosen)
        if given.image:
            known = dict(pair.split("=") for pair in given.context.split(",") if pair)
            found = _image_question(chosen, parts, given.repeats, given.image, Context.model_validate(known))
        else:
            found = costs(chosen, parts, given.repeats)
        print(json.dumps(found, indent=1))  # noqa: T201


def costs(chosen: Settings, parts: Parts, repeats: int) -> dict[str, Any]:
    """Milliseconds of the processor each: median and quartiles over ``repeats``; and sizes in bytes."""
    rng = np.random.default_rng(6)
    reader, knowledge, passages = parts.text_reader(), parts.knowledge(), parts.passages()
    written = rng.integers(0, 255, (512, 512, 3), np.uint8)
    texts = [hit.text for question in QUESTIONS for hit in knowledge.search(question)]
    return {
        "repeats": repeats,
        "question": _text_question(chosen, parts, repeats),
        "search": _spread(_each(QUESTIONS, lambda q: knowledge.search(q)), repeats),
        "read a picture of 512 x 512": _spread(lambda: reader.read(written), min(repeats, 5)),
        "disarm, per new passage": _spread(lambda: _fresh(passages, texts), min(repeats, 5), len(texts)),
        "passes": {name: _passes(part, repeats, rng) for name, part in _networks(parts)},
    }


def _networks(parts: Parts) -> list[tuple[str, Networked]]:
    found = (parts.identifier(), *parts.registry().all(), parts.segmenter())
    return [(part.card.name, part) for part in found if isinstance(part, Networked)]


def _passes(part: Networked, repeats: int, rng: np.random.Generator) -> dict[str, Any]:
    """One image's share of a pass, by the size of the batch, and what travels for it."""
    shape = _shape(part)
    out: dict[str, Any] = {}
    for batch in BATCHES:
        pixels = rng.integers(0, 255, (batch, *shape), np.uint8)
        out[f"batch {batch}"] = _spread(partial(part.forward, pixels), max(3, repeats // batch), batch)
    out["bytes there"] = int(np.prod(shape))
    out["bytes back"] = sum(one.nbytes for one in part.forward(rng.integers(0, 255, (1, *shape), np.uint8)))
    return out


def _shape(part: Networked) -> tuple[int, ...]:
    """What the starter networks take: a colour square, or a grey one."""
    given = part.card.input
    if part.card.architecture == "lung-unet":
        return int(given["size"]), int(given["size"])
    channels = int(given.get("channels", 1)) if part.card.architecture == "activation-resnet" else 3
    return int(given["size"]), int(given["size"]), channels


def _text_question(chosen: Settings, parts: Parts, repeats: int) -> dict[str, Any]:
    """A question of knowledge from request to ``done``, and the bytes its events take as a stream."""
    sizes: list[int] = []

    async def ask(assistant: Assistant, question: str) -> None:
        events = [event.model_dump_json() async for event in assistant.ask(Request(question))]
        sizes.append(sum(len(event) for event in events) + CHUNK * len(events))

    async def run() -> list[float]:
        taken = []
        async with Assistant(chosen, parts) as assistant:
            for n in range(WARM * len(QUESTIONS) + repeats):
                begun = time.process_time()
                await ask(assistant, QUESTIONS[n % len(QUESTIONS)])
                taken.append((time.process_time() - begun) * 1000)
        return taken[WARM * len(QUESTIONS) :]

    return {**_quartiles(asyncio.run(run())), "bytes streamed": int(np.median(sizes))}


def _image_question(chosen: Settings, parts: Parts, repeats: int, image: Path, context: Context) -> dict[str, Any]:
    """A question about an image: the whole, what of it the networks' passes take, and how many those are."""
    images: Counter[str] = Counter()
    inside = [0.0]

    def counted(part: Networked) -> None:
        own = part.forward

        def forward(pixels: Any) -> Any:
            begun = time.process_time()
            found = own(pixels)
            inside[0] += (time.process_time() - begun) * 1000
            images[part.card.name] += len(pixels)
            return found

        part.forward = forward

    for _, part in _networks(parts):
        counted(part)

    async def run() -> tuple[list[float], list[float], int]:
        whole, passes, size = [], [], 0
        async with Assistant(chosen, parts) as assistant:
            for n in range(WARM + repeats):
                if n == WARM:
                    images.clear()
                begun, inside[0] = time.process_time(), 0.0
                asked = Request("What does this show?", (image,), context=context)
                size = sum([len(event.model_dump_json()) + CHUNK async for event in assistant.ask(asked)])
                whole.append((time.process_time() - begun) * 1000)
                passes.append(inside[0])
        return whole[WARM:], passes[WARM:], size

    whole, passes, size = asyncio.run(run())
    each = {name: count / repeats for name, count in images.items()}
    rest = _quartiles([a - b for a, b in zip(whole, passes, strict=True)])
    return {"question": _quartiles(whole), "beside the passes": rest, "passes each": each, "bytes streamed": size}


def _fresh(passages: Any, texts: Sequence[str]) -> None:
    passages.disarm([f"{text} ({time.monotonic_ns()})" for text in texts])


def _each(items: Sequence[str], work: Callable[[str], object]) -> Callable[[], object]:
    turn = iter(range(1_000_000))
    return lambda: work(items[next(turn) % len(items)])


def _spread(work: Callable[[], object], repeats: int, items: int = 1) -> dict[str, float]:
    for _ in range(WARM):
        work()
    taken = []
    for _ in range(repeats):
        begun = time.process_time()
        work()
        taken.append((time.process_time() - begun) * 1000 / items)
    return _quartiles(taken)


def _quartiles(taken: Sequence[float]) -> dict[str, float]:
    low, middle, high = np.percentile(taken, [25, 50, 75])
    return {"ms": round(float(middle), 2), "from": round(float(low), 2), "to": round(float(high), 2)}


if __name__ == "__main__":
    main()
