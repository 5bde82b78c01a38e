"""``overread segment``: the outline of what a box or points show, as a mask."""

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serve.errors import ArgumentsError

if TYPE_CHECKING:
    from agent.segmenting import Segmentation
    from tools.segmentation.prompts import Prompt

EXAMPLES = """
Examples:

  overread segment lesion.png --box 120,80,260,210 -o mask.png

  overread segment slice.dcm --point 210,155 --point 240,190,- -o mask.png --uncertainty doubt.png --json

  overread segment cells.png --auto -o mask.png
"""

_BOX = re.compile(r"\d{1,6}(,\d{1,6}){3}")
_POINT = re.compile(r"(\d{1,6}),(\d{1,6})(?:,([+-]))?")
MOST_POINTS = 64


def segment(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A DICOM, PNG or JPEG file.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="MASK.png", help="Where the mask goes: 0 and 255.")],
    box: Annotated[
        str | None, typer.Option(metavar="X0,Y0,X1,Y1", help="A half-open box round the object, in stored pixels.")
    ] = None,
    point: Annotated[
        list[str] | None,
        typer.Option(metavar="X,Y[,-]", help="A pixel inside the object; with ,- outside it. May be repeated."),
    ] = None,
    auto: Annotated[bool, typer.Option("--auto", help="Every object there is, without a prompt.")] = False,
    uncertainty: Annotated[
        Path | None, typer.Option(metavar="U.png", help="Write where the outline is in doubt: 0 sure, 255 a toss-up.")
    ] = None,
    alternatives: Annotated[
        bool, typer.Option("--alternatives", help="Also write what else the prompt could mean: MASK.2.png, MASK.3.png.")
    ] = False,
    frame: Annotated[int | None, typer.Option(metavar="N", help="Which frame of many, counted from 0.")] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="Which promptable model; see models list.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object: area, doubt, model, domain, times.")
    ] = False,
) -> None:
    """Outline an object in an image, and say how far the outline may be trusted."""
    from serve.arguments import check_images
    from serve.cli.output import check_picture_path, own_stdout, write_picture

    check_images((image,))
    check_picture_path(out, (image,), "-o")
    if alternatives and auto:
        raise ArgumentsError("--alternatives needs a box or a point; leave out --auto")
    others = [out.with_suffix(f".{number}.png") for number in (2, 3)] if alternatives else []
    for path in others:
        check_picture_path(path, (image,), "--alternatives")
    if uncertainty is not None:
        if auto:
            raise ArgumentsError("--uncertainty needs a box or a point; leave out --auto")
        check_picture_path(uncertainty, (image,), "--uncertainty")
        if uncertainty.resolve() == out.resolve():
            raise ArgumentsError("-o and --uncertainty name the same file; give two")
    prompt = read_prompt(box, point or [], auto)
    with own_stdout() as stdout:
        from agent.segmenting import segment_image
        from serve.outline import outline_of

        found = segment_image(image, prompt, frame, model)
        if found.mask is not None:
            write_picture(out, found.mask.astype("uint8") * 255, "-o")
        if uncertainty is not None and found.uncertainty is not None:
            write_picture(uncertainty, (found.uncertainty * 255).round().astype("uint8"), "--uncertainty")
        for path, other in zip(others, found.others, strict=False):
            write_picture(path, other.mask.astype("uint8") * 255, "--alternatives")
        stdout.write((json.dumps(outline_of(found).model_dump()) if as_json else _line(found)) + "\n")
    raise typer.Exit(os.EX_OK)


def read_prompt(box: str | None, points: list[str], auto: bool) -> "Prompt | None":
    """The prompt that was typed, or ``None`` for ``--auto``. Raises ``ArgumentsError``."""
    from tools.segmentation.prompts import Point, Prompt

    if auto:
        if box is not None or points:
            raise ArgumentsError("--auto takes no box and no points; leave out one or the other")
        return None
    if box is None and not points:
        raise ArgumentsError("nothing to outline was named; give --box, --point or --auto")
    if len(points) > MOST_POINTS:
        raise ArgumentsError(f"more than {MOST_POINTS} points were given; give fewer")
    edges = None
    if box is not None:
        if not _BOX.fullmatch(box):
            raise ArgumentsError("--box takes four whole numbers, x0,y0,x1,y1, such as 40,60,180,200")
        x0, y0, x1, y1 = (int(edge) for edge in box.split(","))
        if x0 >= x1 or y0 >= y1:
            raise ArgumentsError("--box is empty; x1 must be above x0 and y1 above y0")
        edges = (x0, y0, x1, y1)
    read = []
    for text in points:
        match = _POINT.fullmatch(text)
        if match is None:
            raise ArgumentsError("--point takes x,y for a pixel inside the object, or x,y,- for one outside")
        read.append(Point(int(match[1]), int(match[2]), match[3] != "-"))
    if edges is None and not any(one.inside for one in read):
        raise ArgumentsError("at least one --point must be inside the object, or a --box given")
    return Prompt(edges, tuple(read))


def _line(found: "Segmentation") -> str:
    """The same in a line for people."""
    if found.refused is not None:
        return f"No outline: {found.refused.message} {found.refused.next_step or ''}".strip()
    if found.mask is None or not found.mask.any():
        return "No object was found there; the mask is empty."
    area = next(one for one in found.measurements if one.name == "area")
    said = f"Area {area.value:g} {area.unit}"
    if found.objects:
        return f"{len(found.objects)} objects. {said} together."
    doubt = {True: "Do not trust this outline", False: "Outline steady", None: "Steadiness not calibrated"}[
        found.distrust
    ]
    more = f" The prompt could mean {len(found.others)} more; see --alternatives." if found.others else ""
    return f"{said}. {doubt}: uncertainty {found.score:.2f} when the prompt is moved a little.{more}"
