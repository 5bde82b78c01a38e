"""Safe reads of a parsed header: a value of the wrong kind is an absent value.

Source of the functional groups: PS3.3 C.7.6.16 (multi-frame functional groups).
"""

import math
from collections.abc import Iterator

from pydicom import Dataset, Sequence


def numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """All finite numbers of an element, or an empty tuple if one of its values is no number."""
    value = dataset.get(keyword)
    if value is None or value in ("", b""):
        return ()
    many = value if hasattr(value, "__iter__") and not isinstance(value, str | bytes) else (value,)
    try:
        found = tuple(float(one) for one in many)
    except (TypeError, ValueError, OverflowError):
        return ()
    return found if all(math.isfinite(one) for one in found) else ()


def number(dataset: Dataset, keyword: str) -> float | None:
    """The first number of an element, or ``None``."""
    found = numbers(dataset, keyword)
    return found[0] if found else None


def integer(dataset: Dataset, keyword: str) -> int | None:
    """The first whole number of an element, or ``None``."""
    found = number(dataset, keyword)
    return int(found) if found is not None and found == int(found) else None


def word(dataset: Dataset, keyword: str) -> str:
    """A code string, upper case and stripped; empty when absent or of several values."""
    value = dataset.get(keyword)
    return value.strip().upper() if isinstance(value, str) else ""


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; empty when it is absent or no sequence."""
    value = dataset.get(keyword)
    return list(value) if isinstance(value, Sequence) else []


def frame_groups(dataset: Dataset, frame: int, group: str) -> Iterator[Dataset]:
    """Where an attribute of one frame may stand, the nearest first.

    The frame's own functional group, then the one shared by all frames, then the data set itself.
    """
    per_frame = items(dataset, "PerFrameFunctionalGroupsSequence")
    if frame < len(per_frame):
        yield from items(per_frame[frame], group)[:1]
    for shared in items(dataset, "SharedFunctionalGroupsSequence")[:1]:
        yield from items(shared, group)[:1]
    yield dataset


def has_functional_groups(dataset: Dataset) -> bool:
    """Whether frames of this data set may differ in how they are read."""
    return bool(items(dataset, "PerFrameFunctionalGroupsSequence"))
