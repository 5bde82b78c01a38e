"""The masked pictures that a language model is shown, where the settings say that it sees."""

from agent.evidence import Evidence
from agent.run import Run

SIDE = 896
"""Pixels of the longer side; a larger picture is made smaller."""


def pictures_for(evidence: Evidence, run: Run) -> dict[str, str]:
    """Data URIs of PNG files by image id, of the accepted images of this run, at most ``llm_images`` of them.

    They are the pixels that the tools see: text that may identify was looked for and masked, and there is no metadata.
    """
    from tools.observer import data_uri

    shown = [image for image in evidence.images if image.study_id in run.shown and image.domain is not None]
    return {
        image.id: data_uri(run.shown[image.study_id].at(image.frame), SIDE)
        for image in shown[: run.settings.llm_images]
    }
