"""Masks the text that is burned into a study, before anything looks at it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guardrails.phi.identity import Identity
    from guardrails.phi.pixels import TextReader, WrittenText
    from guardrails.phi.text import TextDetector
    from overread.records import Box
    from tools.imaging.study import Study


def mask_burned_in(
    study: "Study",
    reader: "TextReader",
    identity: "Identity",
    detector: "TextDetector",
    always: bool = False,
    heard: "list[list[WrittenText]] | None" = None,
) -> int | None:
    """Mask identifying text in all frames; give how many regions, or ``None`` where it was not looked for.

    It is looked for where text is likely, or ``always``, on the first, the middle and the last frame:
    what is burned in seldom changes. What was read is added to ``heard``, frame by frame. Raises ``DetectorError``
    when the detector fails; the study must then not be used.
    """
    from guardrails.phi.pixels import identifying_boxes, may_hold_text, strip_above_regions

    if not always and not may_hold_text(study.header, study.display(0)):
        return None
    found: dict[Box, None] = {}
    for frame in sorted({0, study.frames // 2, study.frames - 1}):
        picture = study.display(frame)
        texts = reader.read(picture)
        if heard is not None:
            heard.append(texts)
        for box in (
            *identifying_boxes(picture, texts, identity, detector),
            *strip_above_regions(study.header, picture, texts),
        ):
            found[box] = None
    boxes = list(found)
    boxes = [box for box in boxes if not any(other != box and _inside(box, other) for other in boxes)]
    study.mask_regions(boxes)
    return len(boxes)


def _inside(box: "Box", other: "Box") -> bool:
    return other[0] <= box[0] and other[1] <= box[1] and box[2] <= other[2] and box[3] <= other[3]
