"""Which side of the patient the rows of a picture run towards, where the header says it.

Sources: PS3.3 C.7.6.1.1.1 (Patient Orientation), C.7.6.2.1.1 (Image Orientation (Patient); x grows
to the patient's left).
"""

from typing import Literal

from pydicom import Dataset
from pydicom.multival import MultiValue

from tools.imaging.geometry import plane

Side = Literal["left", "right"]

_ALONG = 0.95
"""The least cosine between a row and the line from right to left for the row to count as running along it."""
_MIDDLE = (0.45, 0.55)
"""The share of the width in which the middle of the body is taken to lie: what reaches into it has no side."""


def row_side(header: Dataset | None, frame: int = 0) -> Side | None:
    """The patient's side at the end of each row of pixels, or ``None`` where that is not known.

    Not known is: no header, oblique or lateral pictures, and a header that says both.
    """
    if header is None:
        return None
    by_words = _in_words(header.get("PatientOrientation"))
    lies = plane(header, frame)
    if lies is None:
        return by_words
    across = lies.orientation[0]
    by_plane: Side | None = "left" if across >= _ALONG else "right" if across <= -_ALONG else None
    return None if by_words is not None and by_words != by_plane else by_plane


def _in_words(value: object) -> Side | None:
    """What Patient Orientation says of rows that run straight to one side: "L" or "R", and nothing beside it."""
    if not isinstance(value, MultiValue) or len(value) != 2:
        return None
    along = str(value[0]).strip().upper()
    return "left" if along == "L" else "right" if along == "R" else None


def side_in_picture(box: tuple[int, int, int, int], width: int, ends: Side | None) -> Side | None:
    """The patient's side on which a half-open box lies in a picture of both sides, or ``None``.

    ``ends`` is what ``row_side`` gives. A box that reaches into the middle tenth of the picture has no side.
    """
    if ends is None or width < 1:
        return None
    begins: Side = "right" if ends == "left" else "left"
    if box[2] <= _MIDDLE[0] * width:
        return begins
    return ends if box[0] >= _MIDDLE[1] * width else None
