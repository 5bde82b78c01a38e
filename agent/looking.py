"""Says what kind of image one is, and no more: read, identity out, identified."""

from pathlib import Path

from agent.nodes.identify import chosen_frame
from agent.opening import look_into
from agent.parts import Parts
from overread.records import Alternative, Record


class Identified(Record):
    """What kind of image it is. ``label`` is null and ``reason`` says why where it was not accepted.

    ``size`` is (rows, columns), ``spacing_mm`` (row, column); ``probability`` is calibrated.
    """

    study_id: str
    modality: str | None
    images: int
    frames: int
    frame: int
    size: tuple[int, int]
    spacing_mm: tuple[float, float] | None
    label: str | None
    probability: float
    accepted: bool
    alternatives: tuple[Alternative, ...]
    reason: str | None


def identify_image(path: Path, frame: int | None, parts: Parts) -> Identified:
    """The kind of the image at ``path``. ``frame`` counts from 0; without one the study's own choice is taken.

    Raises an ``OverreadError`` for a file that cannot be read, or a frame that is not there.
    """
    study = look_into(path, parts.settings)
    number = chosen_frame(study, frame)
    decision = parts.identifier().identify([study.display(number)], [study.modality])[0]
    return Identified(
        study_id=study.study_id,
        modality=study.modality,
        images=study.contents.images,
        frames=study.frames,
        frame=number,
        size=study.size,
        spacing_mm=study.spacing_mm,
        label=decision.label if decision.accepted else None,
        probability=decision.probability,
        accepted=decision.accepted,
        alternatives=tuple(decision.alternatives),
        reason=decision.reason,
    )
