"""Model cards: what a model is for, where it may be used, how well it did, and which file it is.

A card is ``card.yaml`` in a folder of its own, beside its weights. Folders are searched in this
order: ``OVERREAD_MODELS``, the user's cache, the starter weights in this package. A card found
earlier hides one of the same name found later.
"""

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from overread.errors import CardError
from overread.records import AgeBand, Context, ModelRef
from overread.settings import Settings, settings

STARTER = Path(__file__).parent / "models"
"""The folder of the starter weights that come with the package."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Population(_Part):
    """Whom a model was trained and measured on. An empty tuple means that it does not matter."""

    age_bands: tuple[AgeBand, ...] = ()
    views: tuple[str, ...] = ()
    view_needed: bool = Field(True, description="Whether a view that is not known is outside; the note says why not.")
    note: str = ""

    def misfit(self, context: Context) -> str | None:
        """Why this model may not decide about such a patient, or ``None`` when it may."""
        ages = _and([_PEOPLE[band] for band in self.age_bands])
        views = _and(list(self.views))
        if self.age_bands and context.age_band is None:
            return f"the age is not known, and this model speaks only for {ages}"
        if self.age_bands and context.age_band not in self.age_bands:
            return f"this model speaks only for {ages}"
        if self.views and context.view is None and self.view_needed:
            return f"the view is not known, and this model speaks only for the views {views}"
        if self.views and context.view is not None and context.view not in self.views:
            return f"this model speaks only for the views {views}"
        return None


_PEOPLE: dict[AgeBand, str] = {
    "newborn": "newborns",
    "infant": "infants",
    "child": "children",
    "adolescent": "adolescents",
    "adult": "adults",
    "elderly": "the elderly",
}


def _and(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


class Label(_Part):
    """One output of a model: its name, the words for it in a sentence, and its decision band.

    A calibrated probability below ``absent_below`` is ``absent``, at or above ``present_from`` is
    ``present``, and between them ``indeterminate``.
    """

    name: str
    prompts: tuple[str, ...] = ()
    absent_below: float | None = Field(None, ge=0, le=1)
    present_from: float | None = Field(None, ge=0, le=1)


class TrainingSet(_Part):
    """A set of images a model learned from, with its licence."""

    name: str
    licence: str
    images: int
    source: str
    note: str = ""


class Figure(_Part):
    """A measured figure: on what, how many, and the command that makes it again."""

    name: str
    value: float
    interval: tuple[float, float] | None = None
    n: int
    data: str
    command: str


class Companion(_Part):
    """A file beside the weights that is needed too, such as a tokenizer's vocabulary."""

    file: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Weights(Companion):
    """The one file a card speaks of. Of a model that lies on a server it is the question that is asked of it."""

    licence: str


class ModelCard(_Part):
    """Everything Overread knows of a model. The registry, the router and the docs read this."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    version: str
    title: str
    task: Literal["domain", "classification", "segmentation", "observation", "similarity", "tagging"]
    domains: tuple[str, ...] = Field(description="Domain labels it may be used in; () for any.")
    population: Population = Population()
    experimental: bool = False
    localises: bool = Field(True, description="Whether its heatmaps may give a finding a place in the image.")
    architecture: str = Field(description="Which builder in tools/ makes the network.")
    input: dict[str, Any] = Field(default_factory=dict, description="What the builder needs: size, channels, widths.")
    labels: tuple[Label, ...]
    calibration: dict[str, Any] = Field(default_factory=dict, description="Kind and parameters; {} for none.")
    sets: dict[str, Any] = Field(
        default_factory=dict,
        description="Conformal sets of labels that exclude each other (guardrails.conformal); {} for none.",
    )
    training: tuple[TrainingSet, ...]
    figures: tuple[Figure, ...] = ()
    weights: Weights
    companions: tuple[Companion, ...] = ()
    limits: tuple[str, ...] = Field(description="What it cannot do, in plain sentences.")

    @property
    def ref(self) -> ModelRef:
        """The short form that events carry."""
        return ModelRef(name=self.name, version=self.version, sha256=self.weights.sha256)


class CardFile(_Part):
    """A card and the folder it lies in."""

    card: ModelCard
    folder: Path

    def weights(self) -> Path:
        """The path of the weights after their SHA-256 was checked. Raises ``CardError``."""
        return self._checked(self.card.weights, "its weights")

    def companion(self, name: str) -> Path:
        """The path of a file beside the weights, after its SHA-256 was checked. Raises ``CardError``."""
        for companion in self.card.companions:
            if companion.file == name:
                return self._checked(companion, "its file")
        raise CardError(f"card {self.card.name}: its companions do not name {name}; add it with its SHA-256")

    def check(self) -> None:
        """Whether every file of the card is there and is the one it names. Raises ``CardError``."""
        self.weights()
        for companion in self.card.companions:
            self.companion(companion.file)

    def _checked(self, named: Companion, words: str) -> Path:
        path = self.folder / named.file
        if path.name != named.file:
            raise CardError(f"card {self.card.name}: {words} must lie beside the card; give a bare file name")
        if not path.is_file():
            raise CardError(f"card {self.card.name}: {words} {path.name} is missing; put it beside the card")
        stat = path.stat()
        if _sha256(path, stat.st_size, stat.st_mtime_ns) != named.sha256:
            raise CardError(f"card {self.card.name}: {path.name} is not the file the card names (SHA-256 differs)")
        return path


@lru_cache(maxsize=64)
def _sha256(path: Path, _size: int, _mtime_ns: int) -> str:
    return file_sha256(path)


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, read in pieces: 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_card(path: Path) -> CardFile:
    """The card in one YAML file. Raises ``CardError`` naming the field that is wrong."""
    try:
        card = ModelCard.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole card"
        raise CardError(f"card {path.parent.name}: {where}: {first['msg']}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CardError(f"card {path.parent.name} cannot be read as YAML ({type(error).__name__})") from None
    return CardFile(card=card, folder=path.parent)


def find_cards(where: Settings | None = None) -> dict[str, CardFile]:
    """Every card by its name, the first found winning."""
    found: dict[str, CardFile] = {}
    for path in card_paths(where or settings()):
        card = read_card(path)
        found.setdefault(card.card.name, card)
    return found


def card_paths(where: Settings) -> Iterator[Path]:
    """Every ``card.yaml`` there is, in the order of search."""
    folders = [where.models, where.cache / "models", STARTER]
    for folder in folders:
        if folder is not None and folder.is_dir():
            yield from sorted(folder.glob("*/card.yaml"))
