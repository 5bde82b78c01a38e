"""Trains the half of the domain identifier's image tower that reads descriptors.

The descriptors of changed pictures are computed once; the small head over them then learns in a minute to put
a picture near the words for its kind, as the network beside it does.
"""

import logging
import math
from typing import TYPE_CHECKING

import numpy as np

from tools.descriptors import SIDE, descriptors
from tools.prompts import label_vectors, prompts_by_label
from training.augment import Strength, augment

if TYPE_CHECKING:
    from torch import Tensor, nn

    from training.domain_pictures import Sampler

log = logging.getLogger(__name__)

EPOCHS, BATCH, RATE, JITTER = 30, 256, 1e-3, 0.1


def describe(sampler: "Sampler", count: int, how: Strength, batch: int = 120) -> "tuple[Tensor, Tensor]":
    """Descriptors of ``count`` drawn pictures, nine in ten of them changed, and the rows of their labels."""
    import torch
    from torch.nn import functional as f

    numbers, labels = [], []
    generator = np.random.default_rng(19)
    with torch.inference_mode():
        for done in range(0, count, batch):
            pictures, rows = sampler.batch(batch)
            x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
            if generator.random() < 0.9:
                x = augment(x, how)
            numbers.append(descriptors(f.interpolate(x, size=(SIDE, SIDE), mode="bilinear", antialias=True)))
            labels.append(torch.from_numpy(rows))
            if done // batch % 20 == 0:
                log.info("described %d of %d", done + len(rows), count)
    return torch.cat(numbers).clone(), torch.cat(labels).clone()


def train_head(tower: "nn.Module", sampler: "Sampler", count: int) -> float:
    """Train ``tower``'s head in place, with its mean and spread; give back its logit scale."""
    import torch
    from torch.nn import functional as f

    from training.domain import AUGMENTATION

    numbers, labels = describe(sampler, count, AUGMENTATION)
    spread = numbers.std(0).clamp_min(1e-3)
    tower.get_buffer("mean").copy_(numbers.mean(0))
    tower.get_buffer("spread").copy_(spread)
    words = torch.from_numpy(label_vectors(prompts_by_label(), {}))
    head = tower.get_submodule("head").train()
    numbers = ((numbers - numbers.mean(0)) / spread).clamp(-5, 5)
    log_scale = torch.nn.Parameter(torch.tensor(3.0))
    optimiser = torch.optim.AdamW([*head.parameters(), log_scale], lr=RATE, weight_decay=0.05)
    steps = EPOCHS * len(numbers) // BATCH
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * step / steps))
        rows = torch.randint(0, len(numbers), (BATCH,))
        image = f.normalize(head(numbers[rows] + JITTER * torch.randn(BATCH, numbers.shape[1])), dim=1)
        loss = f.cross_entropy(log_scale.exp() * image @ words.T, labels[rows], label_smoothing=0.03)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    log.info("head: loss %.3f", float(loss.detach()))
    head.eval()
    return float(log_scale.detach().exp())
