"""Trains the domain identifier: ``python -m training.domain``.

An OpenCLIP image tower learns to put a picture near the words for its kind; the text tower is the
packaged sentence encoder and stays as it is. Source: Radford et al., CLIP, 2021; Zhai et al.,
locked-text tuning (the towers' roles turned round), 2022; Yang et al., UniCL, 2022.
"""

import logging
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from tools.networks import clip_image_tower, clip_input, described_tower
from tools.prompts import prompt_vectors, prompts_by_label
from training.augment import Strength, augment
from training.command import begin, parser_for
from training.domain_head import train_head
from training.domain_pictures import Sampler, drawn, medical
from training.loop import best_device, fit
from training.pictures import data_root

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger(__name__)

INPUT: dict[str, Any] = {"size": 128, "dimensions": 384, "width": 24, "layers": (1, 1, 2, 1)}
AUGMENTATION = Strength(
    turn_degrees=15,
    scale=(0.75, 1.8),
    aspect=0.25,
    shift=0.08,
    upside_down=0.15,
    quarter_turn=0.1,
    gamma=0.6,
    contrast=0.4,
    brightness=0.18,
    invert=0.05,
    tint=0.45,
    grey=0.06,
    blur=0.35,
    noise=0.05,
    jpeg=0.25,
    mark=0.3,
)


def train(
    sampler: Sampler, steps: int, batch: int, limit_s: float, start: "nn.Module | None" = None
) -> "tuple[nn.Module, float]":
    """The trained image tower and its logit scale."""
    import torch
    from torch import nn
    from torch.nn import functional as f

    device = best_device()
    labels = prompts_by_label()
    flat = [prompt for prompts in labels.values() for prompt in prompts]
    text = torch.from_numpy(prompt_vectors(flat, {})).to(device)
    first = np.cumsum([0, *(len(prompts) for prompts in labels.values())])
    generator = np.random.default_rng(3)

    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tower = start or clip_image_tower(**INPUT)
            self.log_scale = nn.Parameter(torch.tensor(3.7))

        def forward(self, x: "Tensor") -> "Tensor":
            out: Tensor = self.tower(x)
            return out

    def loss_of(network: "nn.Module") -> "Tensor":
        pair = cast(Pair, network)
        pictures, rows = sampler.batch(batch)
        x = torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2).float() / 255
        y = torch.from_numpy(rows).to(device)
        with torch.autocast(device.type, enabled=False):
            x = augment(x, AUGMENTATION)
            x = f.interpolate(x, size=(INPUT["size"],) * 2, mode="bilinear", antialias=True)
        image = f.normalize(pair(clip_input(x).contiguous(memory_format=torch.channels_last)).float(), dim=1)
        chosen = [int(generator.integers(low, high)) for low, high in pairwise(first)]
        scale = pair.log_scale.float().exp().clamp(max=100)
        logits = scale * image @ text[chosen].T
        to_text = f.cross_entropy(logits, y, label_smoothing=0.03)
        same = f.one_hot(y, len(labels)).float()
        present = same.sum(0) > 0
        share = (same / same.sum(0).clamp_min(1))[:, present]
        to_image = -(share * logits[:, present].log_softmax(dim=0)).sum(0).mean()
        return to_text + 0.3 * to_image

    pair = Pair().to(device)
    trained = cast(Pair, fit(pair, loss_of, steps, rate=1.5e-3, decay=0.05, limit_s=limit_s))
    return trained.tower, float(trained.log_scale.exp().clamp(max=100))


def main(arguments: list[str] | None = None) -> None:
    """Train, measure, and write the card and its weights."""
    from training.domain_card import write

    parser = parser_for("python -m training.domain", __doc__, "domain-clip")
    parser.add_argument("--steps", type=int, default=2600)
    parser.add_argument("--batch", type=int, default=60)
    parser.add_argument("--limit", type=float, default=1440.0, help="seconds of training at most")
    parser.add_argument("--tower", type=Path, help="a network trained before: train the rest, measure and write")
    parser.add_argument("--described", type=int, default=18_000, help="pictures the descriptors' head learns from")
    given = begin(parser, arguments, seed=11)
    parts = medical(data_root(given.data))
    log.info("learn %d, check %d, tune %d, unseen %d", *map(len, (parts.learn, parts.check, parts.tune, parts.unseen)))
    if given.tower:
        network, scale = load_tower(given.tower)
    else:
        network, scale = train(
            Sampler(parts.learn, drawn(250, 1), drawn_tissue=0.7), given.steps, given.batch, given.limit
        )
        save_tower(network, scale, Path(tempfile.gettempdir()) / "overread-training" / "domain-tower.safetensors")
    tower = described_tower(**INPUT)
    tower.get_submodule("network").load_state_dict(network.state_dict())
    head_scale = train_head(tower, Sampler(parts.learn, drawn(250, 1), seed=77, drawn_tissue=0.7), given.described)
    write(tower.eval().requires_grad_(False), (scale + head_scale) / 2, parts, given.out)


def save_tower(tower: "nn.Module", scale: float, path: Path) -> None:
    """Keep a trained tower for ``--tower``; not part of the package."""
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in tower.state_dict().items()}, path, {"scale": str(scale)})


def load_tower(path: Path) -> "tuple[nn.Module, float]":
    """A tower kept by ``save_tower``, in evaluation mode, and its logit scale."""
    from safetensors import safe_open

    tower = clip_image_tower(**INPUT)
    with safe_open(path, "pt") as file:
        tower.load_state_dict({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
        scale = float(file.metadata()["scale"])
    return tower.eval().requires_grad_(False), scale


def as_input(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures of the cache, brought from ``SIZE`` to the tower's size."""
    from tools.networks import square

    return np.stack([square(picture, INPUT["size"]) for picture in pixels])


if __name__ == "__main__":
    main()
