"""Concepts: what a label looks like, in words. Data, for zero-shot labels and for their explanation."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from overread.cards import ModelCard
from overread.domains import covered
from overread.packaged import packaged_yaml

Floats = NDArray[np.float32]


class Concept(BaseModel):
    """A label in certain domains: descriptions of a picture that shows it, and of one that does not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str
    domains: tuple[str, ...]
    present: tuple[str, ...] = Field(min_length=1)
    absent: tuple[str, ...] = Field(min_length=1)

    @property
    def descriptors(self) -> tuple[str, ...]:
        """Every description, those of ``present`` first."""
        return self.present + self.absent

    def score(self, similarities: Floats, scale: float) -> float:
        """The log-odds that the label holds: log-mean-exp of ``present`` less that of ``absent``, times ``scale``.

        ``similarities`` are the cosines to ``descriptors``, float32 ``(D,)``. Not calibrated.
        """
        logits = scale * similarities.astype(np.float64)
        split = len(self.present)
        return _log_mean_exp(logits[:split]) - _log_mean_exp(logits[split:])


def _log_mean_exp(values: NDArray[np.float64]) -> float:
    top = values.max()
    return float(top + np.log(np.exp(values - top).mean()))


@lru_cache(maxsize=1)
def concepts() -> tuple[Concept, ...]:
    """The packaged concepts, from ``tools/data/concepts.yaml``."""
    return tuple(Concept.model_validate(entry) for entry in packaged_yaml("tools", "data/concepts.yaml"))


def concepts_for(card: ModelCard, domain: str, known: Sequence[Concept] | None = None) -> list[Concept]:
    """The concepts of a card's labels in a domain, in the order of the labels.

    A label with prompts of its own is described by them, against "a normal image of its kind"; so a card can
    carry any text. A label with neither prompts nor a packaged concept for the domain is left out.
    """
    from overread.domains import with_article, words_for

    found = []
    for label in card.labels:
        if label.prompts:
            normal = (f"a normal {words_for(domain)}", with_article(words_for(domain)))
            found.append(Concept(label=label.name, domains=(domain,), present=label.prompts, absent=normal))
            continue
        for concept in concepts() if known is None else known:
            if concept.label == label.name and covered(concept.domains, domain):
                found.append(concept)
                break
    return found
