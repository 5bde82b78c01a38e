"""The arguments of the tools, with what is told of each."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from overread.records import Box, Context, Record
from serve.arguments import read_context
from serve.errors import ArgumentsError
from tools.segmentation.prompts import Point, Prompt

MOST_IMAGES = 20
MOST_POINTS = 64
MOST_CLAIMS = 64

Question = Annotated[str, Field(min_length=1, max_length=20_000, description="What is asked, in English.")]
Image = Annotated[
    str, Field(min_length=1, max_length=4096, description="The image: study:ID, or on stdio the path of a file.")
]
Images = Annotated[
    list[Image], Field(max_length=MOST_IMAGES, description="The images that are asked about; none asks of knowledge.")
]
Prior = Annotated[
    str | None,
    Field(max_length=4096, description="An earlier study of the same patient, to compare with."),
]
Known = Annotated[
    Context | None, Field(description="What is known of the patient and the view; laid over what the header says.")
]
Frame = Annotated[
    int | None, Field(ge=0, le=100_000, description="One frame of many, counted from 0; left out, it is chosen.")
]
BoxGiven = Annotated[
    Box | None, Field(description="x0, y0, x1, y1 in stored pixels from the top left; half-open, round the object.")
]


class PointGiven(Record):
    """A pixel x, y of the stored image, from the top left; ``inside`` says whether it belongs to the object."""

    x: int = Field(ge=0, le=1_000_000)
    y: int = Field(ge=0, le=1_000_000)
    inside: bool = True


Points = Annotated[list[PointGiven], Field(max_length=MOST_POINTS, description="Pixels in the object, or outside it.")]
Auto = Annotated[bool, Field(description="Outline every object there is; takes no box and no points.")]
Model = Annotated[str | None, Field(max_length=100, description="A promptable model by its card's name.")]
Query = Annotated[str, Field(min_length=1, max_length=2_000, description="A medical question, or words.")]
Many = Annotated[int, Field(ge=1, le=50, description="Most passages.")]
Domain = Annotated[
    str | None, Field(max_length=60, description="A kind of image, such as xray/chest; what speaks of it comes first.")
]
Text = Annotated[str, Field(min_length=1, max_length=100_000, description="The text that identity is taken out of.")]
Output = Annotated[
    str | None,
    Field(max_length=4096, description="On stdio only: where to write the clean file; nothing may be there."),
]
Indication = Annotated[str, Field(max_length=2_000, description="Why the image was made, in a few words.")]


class ClaimGiven(BaseModel):
    """A sentence, and the texts it should follow from."""

    model_config = ConfigDict(extra="forbid")

    claim: str = Field(min_length=1, max_length=4_000)
    evidence: list[Annotated[str, Field(max_length=20_000)]] = Field(max_length=50)


Claims = Annotated[list[ClaimGiven], Field(min_length=1, max_length=MOST_CLAIMS, description="The claims to check.")]


def context_of(known: Context | None) -> Context:
    """The context, if its words are ones that are taken. Raises ``ArgumentsError``."""
    if known is None:
        return Context()
    try:
        return read_context([f"{name}={value}" for name, value in known.model_dump(exclude_none=True).items()])
    except ArgumentsError as error:
        raise ArgumentsError(str(error).replace("--context", "context")) from None


def prompt_of(box: Box | None, points: list[PointGiven], auto: bool) -> Prompt | None:
    """What to outline; ``None`` for everything. Raises ``ArgumentsError``."""
    if auto:
        if box is not None or points:
            raise ArgumentsError("auto takes no box and no points; leave out one or the other")
        return None
    if box is None and not any(point.inside for point in points):
        raise ArgumentsError("point at something: give a box, a point inside the object, or auto")
    return Prompt(box, tuple(Point(point.x, point.y, point.inside) for point in points))
