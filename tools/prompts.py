"""The words the domain identifier knows: prompts for every domain and every kind of picture it refuses.

Prompts are data. Their vectors come from the packaged sentence encoder; those of the shipped
prompts lie beside the image tower's weights, so that the encoder need not be loaded for them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from overread.domains import domains
from overread.encoder import sentence_encoder
from overread.packaged import packaged_yaml


class OtherKind(BaseModel):
    """A kind of picture that is not medical: its label, the words for a refusal, its prompts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str
    words: str
    prompts: tuple[str, ...]


@lru_cache(maxsize=1)
def not_medical() -> dict[str, OtherKind]:
    """The kinds that are refused, by label, from ``tools/data/not_medical.yaml``."""
    return {kind.label: kind for kind in map(OtherKind.model_validate, packaged_yaml("tools", "data/not_medical.yaml"))}


def prompts_by_label() -> dict[str, tuple[str, ...]]:
    """Every label with its prompts: the domains first, then the kinds that are refused."""
    known = {label: domain.prompts for label, domain in domains().items()}
    return known | {label: kind.prompts for label, kind in not_medical().items()}


def prompt_key(prompt: str) -> str:
    """The name under which a prompt's vector is stored: the start of its SHA-256."""
    return hashlib.sha256(prompt.encode()).hexdigest()[:16]


def prompt_vectors(prompts: Sequence[str], stored: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Unit vectors of prompts, float32 ``(len(prompts), 384)``: from ``stored`` by key, else encoded now."""
    missing = [prompt for prompt in prompts if prompt_key(prompt) not in stored]
    new = dict(zip(missing, sentence_encoder().encode(missing), strict=True)) if missing else {}
    rows = [new[prompt] if prompt in new else stored[prompt_key(prompt)] for prompt in prompts]
    return unit_rows(np.stack(rows))


def label_vectors(
    labels: Mapping[str, tuple[str, ...]], stored: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """One unit vector a label, the mean of its prompts' vectors: float32 ``(len(labels), 384)``."""
    flat = [prompt for prompts in labels.values() for prompt in prompts]
    vectors = prompt_vectors(flat, stored)
    owners = np.repeat(np.arange(len(labels)), [len(prompts) for prompts in labels.values()])
    means = np.stack([vectors[owners == row].mean(axis=0) for row in range(len(labels))])
    return unit_rows(means)


def unit_rows(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """The rows of a matrix brought to L2 norm 1, as float32; a row of zeros stays so."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-9)
    return np.asarray(vectors / norms, dtype=np.float32)
