"""One frame as the viewer gets it: 16-bit codes of the values, or RGB, and how the browser shows them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from overread.records import Record
from tools.imaging.window import Table, Tone, Window

CODES = 65_536


class FrameFacts(Record):
    """What comes with the bytes of a frame.

    A grey value is ``code * slope + intercept``, in [``least``, ``most``]. As stored, ``low`` is shown black and
    ``high`` white, or by a sigmoid between them; the file calls that ``level`` and ``spread``, the centre and width of
    its window. ``inverted`` turns it round. With ``curve`` the file has a table of its own: the bytes end with the
    brightness of each code, uint8 ``(65536,)``, inversion included.
    """

    kind: Literal["grey", "rgb"]
    width: int
    height: int
    slope: float = 1.0
    intercept: float = 0.0
    least: float = 0.0
    most: float = 255.0
    low: float = 0.0
    high: float = 255.0
    level: float = 127.5
    spread: float = 255.0
    shape: Literal["LINEAR", "SIGMOID"] = "LINEAR"
    inverted: bool = False
    curve: bool = False


@dataclass(frozen=True)
class RawFrame:
    """A frame's facts and its bytes: uint16 little-endian ``(H, W)``, or uint8 ``(H, W, 3)``."""

    facts: FrameFacts
    body: bytes


def colour_frame(display: NDArray[np.uint8]) -> RawFrame:
    """A colour frame, RGB uint8 ``(H, W, 3)``."""
    height, width = display.shape[:2]
    return RawFrame(FrameFacts(kind="rgb", width=width, height=height), display.tobytes())


def grey_frame(values: NDArray[np.float32], tone: Tone) -> RawFrame:
    """A grey frame, float32 ``(H, W)``. Whole numbers are kept; others to 1/65535 of their range."""
    finite = values[np.isfinite(values)]
    least, most = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if finite.size < values.size:
        values = np.nan_to_num(values, nan=least, posinf=most, neginf=least)
    whole = most - least < CODES and np.array_equal(values, np.rint(values))
    slope = 1.0 if whole or most == least else (most - least) / (CODES - 1)
    if whole:
        codes = (values - np.float32(least)).astype("<u2")
    else:
        codes = np.rint((values.astype(np.float64) - least) / slope).astype("<u2")
    body, how = codes.tobytes(), tone.how
    low, high = tone.span or (least, most)
    level, spread = (how.center, how.width) if isinstance(how, Window) else ((low + high) / 2, high - low)
    if isinstance(how, Table):
        curve = tone.apply((np.arange(CODES) * slope + least).astype(np.float32))
        body += (curve * 255 + 0.5).astype(np.uint8).tobytes()
    height, width = values.shape
    facts = FrameFacts(
        kind="grey",
        width=width,
        height=height,
        slope=slope,
        intercept=least,
        least=least,
        most=most,
        low=low,
        high=high,
        level=level,
        spread=spread,
        shape="SIGMOID" if isinstance(how, Window) and how.function == "SIGMOID" else "LINEAR",
        inverted=tone.inverted,
        curve=isinstance(how, Table),
    )
    return RawFrame(facts, body)
