"""One training loop for every model: AdamW, one warm-up and a cosine, averaged weights, bfloat16 where it is faster."""

import copy
import logging
import math
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

log = logging.getLogger(__name__)


def seed_all(seed: int) -> None:
    """Seed Python, NumPy and torch."""
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def best_device() -> "torch.device":
    """The GPU when there is one, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def bfloat16_pays(device: "torch.device") -> bool:
    """Whether bfloat16 is faster than float32 on a device: a processor without instructions for it only imitates it."""
    import torch

    return device.type == "cuda" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def fit(
    network: "nn.Module",
    loss_of: Callable[["nn.Module"], "Tensor"],
    steps: int,
    rate: float = 2e-3,
    decay: float = 0.02,
    limit_s: float = 1500.0,
) -> "nn.Module":
    """Train ``network`` for ``steps`` steps and give back its averaged copy, in evaluation mode.

    ``loss_of`` draws a batch, runs the network on it and gives the loss. Training stops early when
    ``limit_s`` seconds are over; the rate follows the clock as well as the steps, so that it has
    come down by then.
    """
    import torch

    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    average = copy.deepcopy(network).eval().requires_grad_(False)
    matrices = [p for p in network.parameters() if p.ndim > 1]
    rest = [p for p in network.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": matrices}, {"params": rest, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=rate, weight_decay=decay)
    started, done, shown = time.monotonic(), 0.0, 0.0
    device = next(network.parameters()).device
    quick = bfloat16_pays(device)
    for step in range(steps):
        done = max((step + 1) / steps, (time.monotonic() - started) / limit_s)
        if done > 1:
            break
        warm = min(1.0, (step + 1) / max(20, steps // 20))
        for group in optimiser.param_groups:
            group["lr"] = rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))
        network.train()
        with torch.autocast(device.type, torch.bfloat16, enabled=quick):
            loss = loss_of(network)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        keep = min(0.995, (step + 1) / (step + 10))
        with torch.no_grad():
            for kept, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
                if kept.dtype.is_floating_point:
                    kept.lerp_(new, 1 - keep)
                else:
                    kept.copy_(new)
        if done - shown >= 0.05:
            shown = done
            log.info("step %d, %.0f s, loss %.4f", step + 1, time.monotonic() - started, loss.item())
    return average
