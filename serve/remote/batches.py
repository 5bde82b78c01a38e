"""Passes of several requests run as one: those of one network and one shape, put together and taken apart again."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overread.errors import CardError, OverreadError
from serve.errors import DeploymentError
from tools.passes import Networked, Pass

Arrays = tuple[NDArray[np.float32], ...]

MOST_IMAGES = 64
"""Images that a network sees together, whatever the number of requests they came with."""


@dataclass(frozen=True)
class Job:
    """The pixels of one request for one network. ``sha256`` is of the weights the caller's card names."""

    name: str
    sha256: str
    pixels: NDArray[Any]


class Passes:
    """The passes of some networks, by the names of their cards."""

    def __init__(self, networks: Sequence[Networked]) -> None:
        self._passes: Mapping[str, tuple[str, Pass]] = {
            one.card.name: (one.card.weights.sha256, one.forward) for one in networks
        }

    def run(self, jobs: Sequence[Job]) -> list[Arrays | OverreadError]:
        """What each job gets, in order: arrays, or why there are none. What one lacks is no fault of the others."""
        groups: defaultdict[tuple[object, ...], list[int]] = defaultdict(list)
        for place, job in enumerate(jobs):
            groups[job.name, job.sha256, job.pixels.shape[1:], job.pixels.dtype.str].append(place)
        outcomes: dict[int, Arrays | OverreadError] = {}
        for places in groups.values():
            outcomes |= dict(zip(places, self._together([jobs[place] for place in places]), strict=True))
        return [outcomes[place] for place in range(len(jobs))]

    def _together(self, jobs: Sequence[Job]) -> Sequence[Arrays | OverreadError]:
        """The outcomes of jobs for one network, of one shape."""
        sha256, forward = self._passes.get(jobs[0].name, ("", None))
        if forward is None or sha256 != jobs[0].sha256:
            reason = "has other weights where its network runs" if forward else "is not there where its network runs"
            return [CardError(f"card {jobs[0].name} {reason}; give every node the same models")] * len(jobs)
        pixels = np.concatenate([job.pixels for job in jobs])
        try:
            parts = [forward(pixels[begin : begin + MOST_IMAGES]) for begin in range(0, len(pixels), MOST_IMAGES)]
        except OverreadError as error:
            return [error] * len(jobs)
        except (ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError) as error:
            # The kind is told; its message may hold anything.
            return [DeploymentError(f"the network of {jobs[0].name} stopped with {type(error).__name__}")] * len(jobs)
        arrays = [np.concatenate(some) for some in zip(*parts, strict=True)]
        ends = np.cumsum([len(job.pixels) for job in jobs])
        return [tuple(one[end - len(job.pixels) : end] for one in arrays) for job, end in zip(jobs, ends, strict=True)]
