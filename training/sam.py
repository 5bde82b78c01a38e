"""Trains the starter SAM: ``python -m training.sam``."""

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from tools.segmentation.networks import Promptable, starter_sam
from training.command import begin, parser_for
from training.loop import best_device, fit
from training.pictures import data_root, load, picture_sets, read_pictures, share
from training.sam_objects import read_outlined
from training.sam_samples import Samples, boxes_of, points_of

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger(__name__)

NAME = "sam-starter"
COMMAND = "python -m training.sam"
MEASURE = f"{COMMAND} --weights overread/models/{NAME}/weights.safetensors"
"""Measures the weights that ship again."""

SEED = 11
SIZE = 128
DIMENSIONS = 128
WIDTHS = (24, 40, 80, 144, 192)
DEPTHS = (1, 2, 3, 2)
GROUNDS = 1200
"""Pictures that lend their texture to composed ones."""


def main(arguments: list[str] | None = None) -> None:
    """Train, fit the uncertainty, measure on sources never seen, and write the card and its weights."""
    import torch

    from training.sam_card import finish

    parser = parser_for(COMMAND, __doc__, NAME)
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--limit", type=float, default=1380.0, help="seconds of training at most")
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--start", type=Path, help="weights to go on from, as --keep leaves them")
    parser.add_argument("--rate", type=float, default=1.5e-3, help="highest learning rate; lower with --start")
    parser.add_argument("--without-trees", action="store_true", help="vessel trees do not teach; for the last run")
    parser.add_argument("--real", type=float, default=0.6, help="part of the samples from real pictures; else composed")
    parser.add_argument("--weights", type=Path, help="weights trained before: only measure and write")
    parser.add_argument("--keep", type=Path, help="where to put the trained weights before anything is measured")
    given = begin(parser, arguments, seed=SEED)
    torch.set_num_threads(given.threads)
    root = data_root(given.data)
    pictures = read_outlined(root)
    network = starter_sam(SIZE, DIMENSIONS, WIDTHS, DEPTHS)
    if given.weights or given.start:
        network.load_state_dict(stored(given.weights or given.start))
        network.eval()
    if not given.weights:
        learn = [picture for picture in pictures if picture.role == "learn"]
        if given.without_trees:
            learn = [picture for picture in learn if picture.shape != "tree"]
        samples = Samples(learn, grounds(root), SIZE, SEED + bool(given.start), given.real)
        network = train(network, samples, given.steps, given.limit, given.batch, given.rate)
        if given.keep:
            from safetensors.torch import save_file

            save_file({name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}, given.keep)
    finish(network, pictures, given.out)


def stored(path: Path) -> "dict[str, Tensor]":
    """The tensors of a file of weights, floating ones as float32."""
    from safetensors.torch import load_file

    return {name: t.float() if t.dtype.is_floating_point else t for name, t in load_file(path).items()}


def grounds(root: Path) -> NDArray[np.uint8]:
    """Openly licensed pictures of every set that has some, uint8 ``(M, 224, 224, 3)``."""
    names = [one.name for one in picture_sets().values() if one.use == "findings"]
    open_ = [picture for picture in read_pictures(root, names) if picture.open]
    counts: dict[str, int] = {}
    kept = []
    for picture in sorted(open_, key=lambda one: share(str(one.path.name), SEED)):
        counts[picture.set.name] = counts.get(picture.set.name, 0) + 1
        if counts[picture.set.name] <= GROUNDS // 8:
            kept.append(picture)
    return load(kept[:GROUNDS], 224)


def train(network: "nn.Module", samples: Samples, steps: int, limit_s: float, batch: int, rate: float) -> "nn.Module":
    """The network after training. Every picture is prompted by its box, in half of the batches also by points.

    Both share one embedding. In a quarter of the batches, points stand beside the box.
    """
    import torch
    from torch.nn import functional as f

    device = best_device()
    network = network.to(device)
    g = np.random.default_rng(SEED)

    def prompted() -> "tuple[tuple[Tensor, ...], bool, bool]":
        drawn = samples.draw(batch)
        points, labels = points_of(drawn.masks, int(g.integers(1, 5)), g)
        target = f.avg_pool2d(drawn.masks[:, None], 4)[:, 0]
        drawn_ = drawn.windows * 255, target, boxes_of(drawn.masks, g), points, labels
        return drawn_, g.random() < 0.25, g.random() < 0.5

    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(prompted)

        def loss_of(net: "nn.Module") -> "Tensor":
            nonlocal coming
            sam = cast("Promptable", net)
            drawn, beside, by_points = coming.result()
            coming = ahead.submit(prompted)
            pixels, target, box, points, labels = (tensor.to(device) for tensor in drawn)
            with torch.autocast(device.type, enabled=False):
                x = (pixels - sam.pixel_mean) / sam.pixel_std
            embedding = sam.image_encoder(x.contiguous(memory_format=torch.channels_last))
            loss = prompt_loss(sam, embedding, target, box, (points, labels) if beside else None)
            return loss + prompt_loss(sam, embedding, target, None, (points, labels)) if by_points else loss

        return fit(network, loss_of, steps, rate=rate, decay=0.03, limit_s=limit_s)


def prompt_loss(
    network: Promptable,
    embedding: "Tensor",
    target: "Tensor",
    boxes: "Tensor | None",
    points: "tuple[Tensor, Tensor] | None",
) -> "Tensor":
    """Loss of the one mask and of the best of the three, and of the quality foretold for each.

    One prompt a picture. Coordinates are continuous window coordinates.
    """
    logits, quality = decode(network, embedding, boxes, points)
    each = mask_loss(logits, target)
    single, best = each[:, 0], each[:, 1:].min(dim=1).values
    reached = overlap(logits.detach(), target)
    foretold = ((quality.float() - reached) ** 2).mean()
    loss: Tensor = (single + best).mean() + foretold
    return loss


def decode(
    network: Promptable, embedding: "Tensor", boxes: "Tensor | None", points: "tuple[Tensor, Tensor] | None"
) -> "tuple[Tensor, Tensor]":
    """All four masks' logits float32 ``(N, 4, S/2, S/2)``, the single one first, and qualities ``(N, 4)``.

    SAM's decoder takes one picture and many prompts. For one prompt each of many pictures, the
    embeddings go in by the dense prompt, to which the decoder adds the (here zero) picture.
    """
    import torch

    if points is not None:
        points = (points[0] - 0.5, points[1])
    sparse, dense = network.prompt_encoder(points=points, boxes=None if boxes is None else boxes - 0.5, masks=None)
    logits, quality = network.mask_decoder.predict_masks(
        image_embeddings=torch.zeros_like(embedding[:1]),
        image_pe=network.prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense + embedding,
    )
    return logits.float(), quality


def mask_loss(logits: "Tensor", target: "Tensor") -> "Tensor":
    """Cross-entropy and Dice loss of each mask, ``(N, K)``; ``target`` is ``(N, S, S)`` in [0, 1].

    Source: Milletari et al., V-Net, 2016.
    """
    from torch.nn import functional as f

    wanted = target[:, None].expand_as(logits)
    entropy = f.binary_cross_entropy_with_logits(logits, wanted, reduction="none").mean(dim=(2, 3))
    chance = logits.sigmoid()
    dice = 1 - (2 * (chance * wanted).sum(dim=(2, 3)) + 1) / ((chance + wanted).sum(dim=(2, 3)) + 1)
    return 2 * entropy + dice


def overlap(logits: "Tensor", target: "Tensor") -> "Tensor":
    """Intersection over union of each thresholded mask with the target, ``(N, K)``."""
    on, wanted = logits > 0, (target > 0.5)[:, None]
    both = (on & wanted).sum(dim=(2, 3)).float()
    return both / (on | wanted).sum(dim=(2, 3)).clamp_min(1).float()


if __name__ == "__main__":
    main()
