"""A promptable network with one prompt, as a CAD tool: what the agent runs on a box or on a classifier's heat."""

from collections.abc import Sequence

from overread.cards import ModelCard
from overread.records import Box
from tools.admission import check_domains
from tools.contract import Picture, ToolImage, ToolOutput
from tools.measurements import measure_mask
from tools.segmentation.predictor import Segmenter
from tools.segmentation.prompts import Prompt
from tools.segmentation.uncertainty import perturbation_of, with_uncertainty

LEAST_INSIDE = 0.5
"""The part of an outline that must lie in the place of the finding it was drawn for."""

MOST_OF_IMAGE = 0.25
"""The largest part of an image that the outline of a finding may cover: more is the body, not something in it."""

TOLD = ("area", "longest axis", "short axis", "mean intensity")
"""The measurements that are told of an outline."""


class Outline:
    """Outlines what one prompt points at. Implements ``Tool``.

    ``what`` names the outline in the names of its measurements: "the outline in the box". ``place`` is the
    box of the finding that it is drawn for: nothing is drawn that is in doubt, lies mostly elsewhere or takes
    up much of the image. Without one a person asked for it, and it is drawn also when it is in doubt.
    """

    def __init__(self, segmenter: Segmenter, prompt: Prompt, what: str, place: Box | None = None) -> None:
        self._segmenter = segmenter
        self._prompt = prompt
        self._what = what
        self._place = place

    @property
    def name(self) -> str:
        """The card's name."""
        return self.card.name

    @property
    def card(self) -> ModelCard:
        """The network's card."""
        return self._segmenter.card

    def run(self, images: Sequence[ToolImage]) -> list[ToolOutput]:
        """One output an image, in order: the mask, where it is in doubt, and what it measures.

        Nothing is measured of an outline that is empty or that the card's threshold flags; the reason says so.

        Raises ``PromptError`` for a prompt outside an image, ``ToolError`` for an image of a domain the
        card does not allow, ``CardError`` for weights that are missing or altered.
        """
        if self.card.domains:
            check_domains(self.card, images)
        return [self._output(image) for image in images]

    def _output(self, image: ToolImage) -> ToolOutput:
        how = perturbation_of(self._segmenter)
        found = with_uncertainty(self._segmenter.set_image(image.display), self._prompt, how)
        if not found.mask.any():
            return ToolOutput(reason="no object was found there, so nothing was outlined")
        if self._place is not None:
            x0, y0, x1, y1 = self._place
            if found.distrust:
                return ToolOutput(reason="the outline is in doubt, so nothing was drawn or measured")
            if found.mask.mean() > MOST_OF_IMAGE:
                return ToolOutput(
                    reason="the outline takes up too much of the image to be a finding; nothing was drawn"
                )
            if found.mask[y0:y1, x0:x1].sum() < LEAST_INSIDE * found.mask.sum():
                return ToolOutput(
                    reason="the outline lies mostly beside the place of the finding, so nothing was drawn"
                )
        title = f"{self._what}, in doubt" if found.distrust else self._what
        pictures = (
            Picture(id="A1", kind="mask", pixels=found.mask, title=title),
            Picture(id="A2", kind="uncertainty", pixels=found.map, title=title),
        )
        if found.distrust:
            return ToolOutput(pictures=pictures, reason="the outline is in doubt, so nothing was measured")
        unit = "HU" if image.domain.startswith("ct") else "a.u."
        made = [one for one in measure_mask(found.mask, image.spacing_mm, image.values, unit) if one.name in TOLD]
        measurements = tuple(
            one.model_copy(update={"id": f"M{number}", "name": f"{one.name} of {self._what}"})
            for number, one in enumerate(made, start=1)
        )
        reason = "the model has no threshold of doubt" if found.distrust is None else None
        return ToolOutput(measurements=measurements, pictures=pictures, reason=reason)
