"""The tagger's head while it learns: the sums of ``guardrails.phi.tagger``, here in torch with dropout."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from guardrails.phi.tags import SHAPES, TAGS

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from training.tagger import Example

IGNORED = -100
WIDTH = 96
REACH = 2
BATCH = 48


class Head:
    """The head's weights. ``words`` is how many numbers say what a word means."""

    def __init__(self, words: int, seed: int, width: int = WIDTH) -> None:
        import torch

        draw = torch.Generator().manual_seed(seed)

        def made(rows: int, columns: int, scale: float | None = None) -> "Tensor":
            spread = rows**-0.5 if scale is None else scale
            return (torch.randn(rows, columns, generator=draw) * spread).requires_grad_()

        taps = 2 * REACH + 1
        self.weights: dict[str, Tensor] = {
            "in.weight": made(words, width),
            "shape": made(SHAPES, width, 0.1),
            "near.weight": made(taps * width, width),
            "far.weight": made(taps * width, width),
            "out.weight": made(width, len(TAGS)),
        }
        for name in ("in", "near", "far"):
            self.weights[f"{name}.bias"] = torch.zeros(width, requires_grad=True)
        self.weights["out.bias"] = torch.zeros(len(TAGS), requires_grad=True)

    def scores(self, meanings: "Tensor", shapes: "Tensor", mask: "Tensor", drop: float) -> "Tensor":
        """``(texts, words, TAGS)`` from meanings ``(texts, words, n)``, rows of shapes, and where words are."""
        import torch
        from torch.nn.functional import dropout, gelu

        w, there = self.weights, mask.unsqueeze(-1).to(meanings.dtype)
        hidden = dropout(meanings, drop / 2, training=drop > 0) @ w["in.weight"] + w["in.bias"]
        hidden = gelu(hidden + torch.nn.functional.embedding(shapes, w["shape"]).sum(dim=2), approximate="tanh") * there
        for name, step in (("near", 1), ("far", 2)):
            edge = REACH * step
            padded = torch.nn.functional.pad(dropout(hidden, drop, training=drop > 0), (0, 0, edge, edge))
            taps = [padded[:, n * step : n * step + hidden.shape[1]] for n in range(2 * REACH + 1)]
            new = torch.cat(taps, dim=2) @ w[f"{name}.weight"] + w[f"{name}.bias"]
            hidden = (hidden + gelu(new, approximate="tanh")) * there
        return hidden @ w["out.weight"] + w["out.bias"]


def fit(
    examples: "Sequence[Example]", seed: int, epochs: int, told: Callable[[int, float], None], drop: float = 0.2
) -> Head:
    """A head that learned from the examples; ``told`` hears each epoch and its mean loss."""
    import torch

    torch.manual_seed(seed)
    draw = np.random.default_rng(seed)
    head = Head(examples[0].meanings.shape[1], seed)
    optimizer = torch.optim.AdamW(head.weights.values(), lr=2e-3, weight_decay=0.01)
    steps = epochs * (len(examples) // BATCH + 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps + 1, pct_start=0.1)
    for epoch in range(epochs):
        losses = []
        for meanings, shapes, mask, tags in batches(examples, draw):
            scores = head.scores(meanings, shapes, mask, drop)
            loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), tags.flatten(), ignore_index=IGNORED)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(head.weights.values(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
        told(epoch, float(np.mean(losses)))
    return head


def batches(
    examples: "Sequence[Example]", draw: np.random.Generator
) -> "Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]]":
    """The examples once through, in batches of like length in an order of chance."""
    import torch

    lengths = np.array([len(one.tags) for one in examples]) + draw.random(len(examples)) * 8
    order = np.argsort(lengths)
    chunks = [order[at : at + BATCH] for at in range(0, len(order), BATCH)]
    for n in draw.permutation(len(chunks)):
        rows = [examples[i] for i in chunks[n]]
        longest, size = max(len(row.tags) for row in rows), rows[0].meanings.shape[1]
        meanings = np.zeros((len(rows), longest, size), np.float32)
        shapes = np.zeros((len(rows), longest, rows[0].shapes.shape[1]), np.int64)
        tags = np.full((len(rows), longest), IGNORED)
        mask = np.zeros((len(rows), longest), bool)
        for place, row in enumerate(rows):
            count = len(row.tags)
            meanings[place, :count], shapes[place, :count] = row.meanings, row.shapes
            tags[place, :count], mask[place, :count] = row.tags, True
        yield torch.from_numpy(meanings), torch.from_numpy(shapes), torch.from_numpy(mask), torch.from_numpy(tags)
