"""One predictor for every promptable network: look once, prompt many.

predictor = Segmenter(card_file).set_image(image, key)
masks = predictor.predict(Prompt(box=(40, 60, 180, 200)))

A published SAM embeds the whole image. The starter looks at a window round the prompt, so that an
object is seen at the same size whatever the image's; a window once embedded answers every prompt in it.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from overread.cards import CardFile, ModelCard
from overread.errors import CardError
from overread.records import Box
from tools.passes import Pass, chosen_device
from tools.segmentation.checkpoints import Framing, framing_of, load_network
from tools.segmentation.networks import ARCHITECTURES, Promptable
from tools.segmentation.prompts import Prompt
from tools.segmentation.window import Window, crop, paste, whole, window_at, window_round

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float32]

KEPT_EMBEDDINGS = 64
KEPT_WINDOWS = 16
"""Prompts of points whose window is remembered, of one image."""

LEAST_WINDOW = 16.0
"""Smallest side of a window, in image pixels."""

AT_ONCE = 16
"""Prompts decoded together."""

POINT_WINDOWS = (1.0, 0.75, 0.5, 0.35, 0.25, 0.17, 0.12)
"""Sides of the windows a point is looked at in, as parts of the image's longer side."""

OUTSIDE = -20.0
"""The logit of pixels outside the window."""


@dataclass(frozen=True)
class Masks:
    """Masks for one prompt, the best first.

    ``logits`` float32 ``(K, H, W)``, above 0 inside; ``quality`` float32 ``(K,)`` is the overlap (IoU)
    the network foretells for each, uncalibrated.
    """

    logits: Floats
    quality: Floats

    @property
    def masks(self) -> NDArray[np.bool_]:
        """The masks, bool ``(K, H, W)``."""
        return self.logits > 0


class Segmenter:
    """A promptable network and the embeddings of what it looked at lately. Safe to use from several threads.

    Weights are read on first use.
    """

    def __init__(self, file: CardFile, kept: int = KEPT_EMBEDDINGS) -> None:
        """Raises ``CardError`` when the card is of no promptable network."""
        if file.card.architecture not in ARCHITECTURES:
            raise CardError(f"card {file.card.name}: the architecture is not one of {', '.join(ARCHITECTURES)}")
        self._file = file
        self.framing: Framing = framing_of(file)
        self._kept = kept
        self._lock = threading.Lock()
        self._network: Promptable | None = None
        self._embeddings: OrderedDict[tuple[str, Window], Tensor] = OrderedDict()
        self.forward: Pass = self._forward

    @property
    def card(self) -> ModelCard:
        """The card."""
        return self._file.card

    def set_image(self, image: NDArray[np.uint8], key: str | None = None) -> "ImagePredictor":
        """A predictor for one image, uint8 ``(H, W, 3)`` RGB in [0, 255].

        ``key`` names the content, for the cache of embeddings: the study's content hash and the frame.
        Without one, the pixels' SHA-256 is taken.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise ValueError("an image is uint8 (H, W, 3) and not empty")
        if key is None:
            key = hashlib.sha256(str(image.shape).encode() + np.ascontiguousarray(image).tobytes()).hexdigest()
        return ImagePredictor(self, image, key)

    def embed(self, image: NDArray[np.uint8], key: str, windows: Sequence[Window]) -> "Tensor":
        """The embeddings of windows of an image, float32 ``(N, C, h, w)``; those not known yet in one batch."""
        import torch

        with self._lock:
            known = {w: self._embeddings[key, w] for w in windows if (key, w) in self._embeddings}
            for window in known:
                self._embeddings.move_to_end((key, window))
        missing = [window for window in dict.fromkeys(windows) if window not in known]
        if missing:
            size, fill = self.framing.size, self.framing.fill
            pixels = np.stack([crop(image, window, size, fill) for window in missing])
            fresh = torch.from_numpy(self.forward(pixels)[0])
            for window, embedding in zip(missing, fresh, strict=True):
                known[window] = embedding
            with self._lock:
                for window in missing:
                    self._embeddings[key, window] = known[window]
                while len(self._embeddings) > self._kept:
                    self._embeddings.popitem(last=False)
        return torch.stack([known[window] for window in windows])

    def _forward(self, pixels: NDArray[np.uint8]) -> tuple[Floats]:
        """The embeddings of framed windows, uint8 ``(N, S, S, 3)``: float32 ``(N, C, h, w)``."""
        import torch

        network = self._load()
        with torch.inference_mode():
            x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
            if self.framing.grey:
                x = x.mean(dim=1, keepdim=True).expand_as(x)
            seen = network.image_encoder(((x - network.pixel_mean) / network.pixel_std).to(chosen_device()))
            return (seen.float().cpu().numpy(),)

    def decode(
        self, embedding: "Tensor", boxes: Floats | None, points: Floats | None, labels: Floats | None
    ) -> tuple[Floats, Floats]:
        """All masks of a batch of prompts on one embedding ``(1, C, h, w)``, prompts in window coordinates.

        ``boxes`` ``(N, 4)``, ``points`` ``(N, K, 2)`` with ``labels`` ``(N, K)``. Gives logits float32
        ``(N, 4, h', w')``, the mask for prompts without doubt first, and foretold qualities ``(N, 4)``.
        """
        import torch

        network = self._load()
        with torch.inference_mode():
            spots = None
            if points is not None and labels is not None and points.shape[1]:
                # SAM's prompt encoder counts from the middle of the first pixel.
                spots = (torch.from_numpy(points) - 0.5, torch.from_numpy(labels))
            corners = None if boxes is None else torch.from_numpy(boxes) - 0.5
            sparse, dense = network.prompt_encoder(points=spots, boxes=corners, masks=None)
            logits, quality = network.mask_decoder.predict_masks(
                image_embeddings=embedding,
                image_pe=network.prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
            )
        return logits.float().numpy(), quality.float().numpy()

    def _load(self) -> Promptable:
        with self._lock:
            if self._network is None:
                network = load_network(self._file)
                if self.forward == self._forward:
                    network.image_encoder.to(chosen_device())
                else:
                    # It runs elsewhere; what is left here, to answer prompts, is small.
                    del network.image_encoder
                self._network = network
            return self._network


class ImagePredictor:
    """Answers prompts on one image. Made by ``Segmenter.set_image``."""

    def __init__(self, segmenter: Segmenter, image: NDArray[np.uint8], key: str) -> None:
        self._segmenter = segmenter
        self._image = image
        self._key = key
        self._windows: OrderedDict[Prompt, Window] = OrderedDict()
        self.shape: tuple[int, int] = (image.shape[0], image.shape[1])

    def prepare(self, prompt: Prompt | None = None) -> None:
        """Embed now what a prompt needs, or the whole image, so that asking finds it done."""
        self._embedding(self._whole() if prompt is None else self.window_for(prompt))

    def predict(self, prompt: Prompt, multimask: bool = False) -> Masks:
        """The mask of the object a prompt points at; with ``multimask`` also the other plausible ones, by quality.

        Raises ``PromptError`` for a prompt outside the image.
        """
        prompt.checked(self.shape)
        window = self.window_for(prompt)
        logits, quality = self.grids(window, prompt)
        order = _order(quality, single=prompt.box is not None or len(prompt.points) > 1)
        chosen = order if multimask else order[:1]
        pasted = np.stack([paste(logits[k], window, self.shape, OUTSIDE) for k in chosen])
        return Masks(pasted, quality[chosen])

    def window_for(self, prompt: Prompt) -> Window:
        """The window in which a prompt is best answered."""
        framing = self._segmenter.framing
        if not framing.zoom:
            return self._whole()
        edges = prompt.edges()
        if edges is not None:
            return window_round(edges, framing.filled, LEAST_WINDOW)
        # Points are looked at in many windows to find theirs: once is enough.
        window = self._windows.get(prompt)
        if window is None:
            window = self._windows[prompt] = self._window_of_points(prompt)
            while len(self._windows) > KEPT_WINDOWS:
                self._windows.popitem(last=False)
        return window

    def windows_for(self, edges: NDArray[np.floating], filled: Sequence[float]) -> list[Window]:
        """Windows round a box ``(4,)`` that fills these parts of them, every second one mirrored.

        The whole image alone for a network that does not zoom: another look would cost it too much.
        """
        if not self._segmenter.framing.zoom:
            return [self._whole()]
        return [window_round(edges, part, LEAST_WINDOW, bool(k % 2)) for k, part in enumerate(filled)]

    def grids(self, window: Window, prompt: Prompt, boxes: NDArray[np.floating] | None = None) -> tuple[Floats, Floats]:
        """Logits ``(4, h, w)`` and qualities ``(4,)`` of a prompt in a window.

        With ``boxes`` ``(N, 4)`` in image coordinates in place of the prompt's own: ``(N, 4, h, w)`` and ``(N, 4)``.
        """
        size = self._segmenter.framing.size
        edges = prompt.edges()
        given = boxes if boxes is not None else None if edges is None else edges[None]
        count = 1 if given is None else len(given)
        corners = None if given is None else window.boxes_to_window(given, size)
        points = np.repeat(window.to_window(prompt.places(), size)[None], count, axis=0)
        labels = np.repeat(prompt.labels()[None], count, axis=0)
        logits, quality = self._segmenter.decode(self._embedding(window), corners, points, labels)
        return (logits, quality) if boxes is not None else (logits[0], quality[0])

    def at_points(self, window: Window, prompts: Sequence[Prompt]) -> list[tuple[Floats, Floats]]:
        """Logits ``(4, h, w)`` and qualities ``(4,)`` of prompts without a box, of equally many points, in batches."""
        size, out = self._segmenter.framing.size, []
        embedding = self._embedding(window)
        for begin in range(0, len(prompts), AT_ONCE):
            some = prompts[begin : begin + AT_ONCE]
            points = np.stack([window.to_window(prompt.places(), size) for prompt in some])
            labels = np.stack([prompt.labels() for prompt in some])
            out += list(zip(*self._segmenter.decode(embedding, None, points, labels), strict=True))
        return out

    def tiles(self) -> list[Window]:
        """Where objects are looked for without a prompt: the whole, and for a network that zooms its parts."""
        if not self._segmenter.framing.zoom:
            return [self._whole()]
        height, width = self.shape
        side = max(self.shape) / 2
        across = sorted({min(x, max(0.0, width - side)) for x in (0.0, side / 2, side)})
        down = sorted({min(y, max(0.0, height - side)) for y in (0.0, side / 2, side)})
        return [self._whole(), *(Window(x, y, side, side) for y in down for x in across)]

    def _window_of_points(self, prompt: Prompt) -> Window:
        """Look at the points in windows of several sizes; the window round the object best seen.

        Best seen is what the network thinks well outlined, what changes little with the threshold, agrees with
        the points, and is not cut off by the window.
        """
        framing, places = self._segmenter.framing, prompt.places()
        longest = float(max(self.shape))
        spread = float(np.ptp(places, axis=0).max()) * 1.5
        middle = (places.min(axis=0) + places.max(axis=0)) / 2
        sides = sorted({max(part * longest, spread, LEAST_WINDOW) for part in POINT_WINDOWS[1:]})
        windows = [self._whole(), *(window_at(middle, side) for side in sides)]
        self._segmenter.embed(self._image, self._key, windows)
        best, found = -np.inf, windows[0]
        for window in windows:
            logits, quality = self.grids(window, prompt)
            for grid, foretold in zip(logits, quality, strict=True):
                fits = _agreement(grid, window, prompt) + _stability(grid) - _cut(grid, window, self.shape)
                score = float(foretold) + fits
                box = _box_in(grid, window)
                if box is not None and score > best:
                    best, found = score, window_round(box, framing.filled, LEAST_WINDOW)
        return found

    def _whole(self) -> Window:
        return whole(self.shape, self._segmenter.framing.stretch)

    def _embedding(self, window: Window) -> "Tensor":
        return self._segmenter.embed(self._image, self._key, [window])


def box_round(mask: NDArray[np.bool_]) -> Box:
    """The half-open box round a mask, bool ``(H, W)``, that is not empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _order(quality: Floats, single: bool) -> NDArray[np.intp]:
    """The masks in the order to show them: the first where the prompt is clear, else by foretold quality."""
    rest = 1 + np.argsort(-quality[1:], kind="stable")
    if single or quality[0] >= quality[rest[0]]:
        return np.concatenate([[0], rest])
    return np.concatenate([rest, [0]])


def _cut(grid: Floats, window: Window, shape: tuple[int, int]) -> float:
    """How much of a mask's edge lies on the window's border inside the image: the part of the border it takes up."""
    on = grid > 0
    sides = (
        (on[0], window.y0 > 0),
        (on[-1], window.y0 + window.height < shape[0]),
        (on[:, 0], window.x0 > 0),
        (on[:, -1], window.x0 + window.width < shape[1]),
    )
    return sum(float(side.mean()) for side, inside in sides if inside)


def _stability(grid: Floats) -> float:
    """How little a mask grows from a strict to a lax threshold, in [0, 1]. Source: Kirillov et al., 2023."""
    return float((grid > 1).sum() / max(1, int((grid > -1).sum())))


def _agreement(grid: Floats, window: Window, prompt: Prompt) -> float:
    """The part of a prompt's points that lie on the right side of a mask on a window's grid."""
    cells = np.floor(window.to_window(prompt.places(), grid.shape[-1])).astype(np.intp).clip(0, grid.shape[-1] - 1)
    return float(((grid[cells[:, 1], cells[:, 0]] > 0) == (prompt.labels() > 0)).mean())


def _box_in(grid: Floats, window: Window) -> NDArray[np.float64] | None:
    """The box round a mask on a window's grid, float64 ``(4,)`` in image coordinates, or ``None`` when empty."""
    on = grid > 0
    if not on.any():
        return None
    rows, columns = np.flatnonzero(on.any(1)), np.flatnonzero(on.any(0))
    x, y = window.width / grid.shape[1], window.height / grid.shape[0]
    return np.array(
        [
            window.x0 + columns[0] * x,
            window.y0 + rows[0] * y,
            window.x0 + (columns[-1] + 1) * x,
            window.y0 + (rows[-1] + 1) * y,
        ]
    )
