"""How fast an image is identified and its findings looked for, beside a plain OpenCLIP loop; and the memory of one run.

Each time is a median an image on this machine; the ratio to the baseline of the same run says more than the seconds.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from evaluation.speed import Timing, median_seconds, synthetic_image
from overread.cards import find_cards
from overread.records import Context
from tools.contract import Tool, ToolImage
from tools.domain import DomainIdentifier, domain_identifier
from tools.registry import ToolRegistry

BATCH = 16
"""Images that are looked at together."""

BAR_S = 0.15
"""An image's domain and findings together, warm."""

MEMORY_BAR_MIB = 1536.0

PATIENT = Context(age_band="child", view="AP")
"""Lets the models for chest X-rays, mammograms and the like decide as far as they can."""


def measure_tools(repeats: int = 5) -> list[Timing]:
    """All timings, each the median of ``repeats``, on drawn images of 512 x 512 pixels."""
    with TemporaryDirectory(prefix="overread-bench-") as folder:
        from PIL import Image

        with Image.open(synthetic_image(Path(folder) / "image.png")) as picture:
            image = np.asarray(picture.convert("RGB"))
    images = [np.roll(image, 7 * number, axis=1) for number in range(BATCH)]
    identifier, registry = domain_identifier(), ToolRegistry(find_cards())
    plain = _plain_clip()
    one = median_seconds(lambda: plain(images[:1]), repeats)
    loop = median_seconds(lambda: plain(images), repeats) / BATCH
    timings = [
        Timing(
            "domain, one image", median_seconds(lambda: identifier.identify(images[:1]), repeats), None, _PLAIN, one
        ),
        Timing(
            "domain, a batch", median_seconds(lambda: identifier.identify(images), repeats) / BATCH, None, _PLAIN, loop
        ),
    ]
    for domain in ("xray/chest", "mr/brain", "dermoscopy"):
        tools = [tool for tool in registry.tools_for(domain) if tool.card.task == "classification"]
        shown = [ToolImage(display=picture, domain=domain, context=PATIENT) for picture in images]

        both = partial(_identified_and_examined, identifier, tools)
        single = median_seconds(partial(both, shown[:1]), repeats)
        batch = median_seconds(partial(both, shown), repeats) / BATCH
        timings.append(Timing(f"domain and findings, {domain}", single, BAR_S, _PLAIN, one))
        timings.append(Timing("the same, a batch", batch, BAR_S, _PLAIN, loop))
    return timings


def _identified_and_examined(identifier: DomainIdentifier, tools: Sequence[Tool], shown: Sequence[ToolImage]) -> None:
    identifier.identify([one.display for one in shown])
    for tool in tools:
        tool.run(shown)


_PLAIN = "open_clip ViT-B-32 loop"


def _plain_clip() -> Callable[[list[NDArray[np.uint8]]], None]:
    """OpenCLIP's ViT-B/32 with random weights, one image after another, as its own examples do it."""
    import open_clip
    import torch
    from PIL import Image

    model, _, prepare = open_clip.create_model_and_transforms("ViT-B-32", pretrained=None)
    model.eval()

    def run(images: list[NDArray[np.uint8]]) -> None:
        with torch.inference_mode():
            for image in images:
                model.encode_image(prepare(Image.fromarray(image))[None])

    return run


_WATCHED = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
print(used.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""Started by a small process of its own: a child's peak begins with what its parent held when it was started."""


def memory_of_ask() -> float:
    """The most memory that one ``overread ask`` about a retina held, in MiB (the peak resident set)."""
    from importlib.resources import as_file, files

    with as_file(files("skimage").joinpath("data/retina.jpg")) as picture:
        command = [sys.executable, "-m", "serve.cli", "ask", str(picture), "What is this, and what is glaucoma?"]
        told = subprocess.run([sys.executable, "-c", _WATCHED, *command], check=True, capture_output=True, text=True)
    return int(told.stdout) / 1024
