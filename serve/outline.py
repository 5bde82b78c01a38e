"""What is told of a segmentation, on every interface that makes one."""

from typing import TYPE_CHECKING

from overread.records import Alternative, Box, Measurement, ModelRef, Record, RefusalReason

if TYPE_CHECKING:
    from agent.segmenting import Segmentation


class OutlineDomain(Record):
    """What kind of image it is; ``label`` is null where it was not accepted."""

    label: str | None
    probability: float
    accepted: bool
    alternatives: tuple[Alternative, ...]


class OutlineRefusal(Record):
    """Why nothing was outlined."""

    reason: RefusalReason
    message: str
    missing: str | None = None
    next_step: str | None = None


class Doubt(Record):
    """How far the outline moves when the prompt is moved a little: 0 not at all."""

    score: float
    do_not_trust: bool | None
    foretold_overlap: float | None


class OtherMeant(Record):
    """What else the prompt could mean."""

    box: Box
    area_px: int
    foretold_overlap: float
    dice_to_first: float


class OutlinedObject(Record):
    """One object of an automatic run."""

    box: Box
    area_px: int
    quality: float


class Outline(Record):
    """An outline and how far it may be trusted. Everything of the mask is null, or empty, after a refusal."""

    study_id: str
    modality: str | None
    frame: int
    size: tuple[int, int]
    spacing_mm: tuple[float, float] | None
    domain: OutlineDomain
    refusal: OutlineRefusal | None
    model: ModelRef | None
    area_px: int | None
    area_mm2: float | None
    measurements: tuple[Measurement, ...]
    uncertainty: Doubt | None
    others: tuple[OtherMeant, ...]
    objects: tuple[OutlinedObject, ...]
    timings: dict[str, float]


def outline_of(found: "Segmentation") -> Outline:
    """The outline that a segmentation gave."""
    area = {one.unit: one.value for one in found.measurements if one.name == "area"}
    doubt = (
        None
        if found.score is None
        else Doubt(score=found.score, do_not_trust=found.distrust, foretold_overlap=found.quality)
    )
    return Outline(
        study_id=found.study_id,
        modality=found.modality,
        frame=found.frame,
        size=found.size,
        spacing_mm=found.spacing_mm,
        domain=OutlineDomain(
            label=found.domain,
            probability=found.probability,
            accepted=found.domain is not None,
            alternatives=found.alternatives,
        ),
        refusal=OutlineRefusal.model_validate(found.refused.model_dump(exclude={"study_id"}))
        if found.refused
        else None,
        model=found.model,
        area_px=int(found.mask.sum()) if found.mask is not None else None,
        area_mm2=area.get("mm²"),
        measurements=found.measurements,
        uncertainty=doubt,
        others=tuple(
            OtherMeant(
                box=one.box,
                area_px=int(one.mask.sum()),
                foretold_overlap=one.quality,
                dice_to_first=one.dice,
            )
            for one in found.others
        ),
        objects=tuple(OutlinedObject(box=one.box, area_px=one.area_px, quality=one.quality) for one in found.objects),
        timings=dict(found.timings),
    )
