"""On which side of the patient a finding lies, where the image says so."""

from typing import TYPE_CHECKING

from agent.state import SeenImage
from overread.domains import domains
from overread.records import Region

if TYPE_CHECKING:
    from tools.imaging.sides import Side
    from tools.imaging.study import Study


def side_of(region: Region | None, image: SeenImage, study: "Study") -> "Side | None":
    """The patient's side of a region, or ``None`` where it is not known for certain.

    An image of one side takes it from the header or the context. In an image of both sides the region must lie
    clear of the middle, and the header must say towards which side the rows run: a frontal film is
    not taken to be the usual way round.
    """
    from tools.imaging.sides import row_side, side_in_picture

    kind = domains().get(image.domain or "")
    if region is None or kind is None or kind.sides is None:
        return None
    if kind.sides == "one":
        laterality = image.context.laterality
        return "left" if laterality == "L" else "right" if laterality == "R" else None
    return side_in_picture(region.box, study.size[1], row_side(study.header, image.frame))
