"""The kinds of image Overread knows by name. The list is data: ``data/domains.yaml``.

A label is ``modality`` or ``modality/part``. Add a domain by adding an entry, not code.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from pydantic import BaseModel, ConfigDict

from overread.packaged import packaged_yaml


class Domain(BaseModel):
    """One kind of image: its label, the words for it, and the text prompts that describe it.

    ``sides``: an image shows ``both`` sides of the body, or ``one``; ``None`` where it may be either.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str
    words: str
    prompts: tuple[str, ...]
    dicom: tuple[str, ...] = ()
    sides: Literal["both", "one"] | None = None

    @property
    def modality(self) -> str:
        """The part of the label before the slash."""
        return self.label.split("/")[0]


@lru_cache(maxsize=1)
def domains() -> dict[str, Domain]:
    """All domains by label, in the order of the file."""
    entries = [Domain.model_validate(entry) for entry in packaged_yaml("overread", "data/domains.yaml")]
    return {entry.label: entry for entry in entries}


def labels_of(modality: str | None) -> frozenset[str]:
    """The domains whose images carry a DICOM modality; empty when the code says nothing of the kind."""
    return frozenset(domain.label for domain in domains().values() if modality in domain.dicom)


@lru_cache(maxsize=1)
def _other_modalities() -> dict[str, str]:
    words: dict[str, str] = packaged_yaml("overread", "data/modalities.yaml")
    return words


def foreign(modality: str | None) -> str | None:
    """The words for a DICOM modality that is no kind of image known here: "a PET image" for PT, else ``None``."""
    return _other_modalities().get(modality or "")


def words_for(label: str) -> str:
    """The words for a label in a sentence: "chest X-ray" for ``xray/chest``.

    A bare modality ("xray") is a label too. Unknown labels are given back as they are.
    """
    known = domains().get(label)
    if known:
        return known.words
    return {"xray": "X-ray", "ct": "CT slice", "mr": "MR image", "ultrasound": "ultrasound image"}.get(label, label)


def with_article(words: str) -> str:
    """The words with their article: "a chest X-ray", "an MR image"."""
    return f"{'an' if words[:1].lower() in 'aeiou' or words.startswith(('MR', 'X-')) else 'a'} {words}"


def covers(named: str, label: str) -> bool:
    """Whether a card that names the domain ``named`` may be used on an image of domain ``label``.

    A card for a whole modality covers its parts. A card for a part does not cover an image of
    which only the modality is known.
    """
    return named == label or label.startswith(named + "/")


def covered(named: Iterable[str], label: str) -> bool:
    """Whether any of the domains that a card names covers the domain ``label``; see ``covers``."""
    return any(covers(one, label) for one in named)
