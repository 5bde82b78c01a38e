"""The catalogue: public models that can be pulled, as data.

``data/catalogue.yaml`` is packaged; ``OVERREAD_CATALOGUE`` names another file whose entries come first. An
entry says where a model's files are, how large they are, their SHA-256 where one is known, the licence, and
what its card will say. A checksum that is not known must be given by the user.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from overread.cards import Companion, ModelCard, Weights
from overread.errors import CatalogueError
from overread.packaged import packaged_text
from overread.settings import Settings


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CatalogueFile(_Part):
    """One file of a model: its bare name, where it is, its size and SHA-256 where they are known."""

    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    url: str | None
    bytes: int | None = Field(None, gt=0)
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")

    @field_validator("url")
    @classmethod
    def _safe(cls, url: str | None) -> str | None:
        if url is not None:
            check_address(url)
        return url


class CatalogueEntry(_Part):
    """A model that can be pulled. The first of ``files`` is its weights, the others are companions."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    about: str
    homepage: str
    licence: str
    size: str = Field(description="For people, such as 375 MB.")
    checksums: str = Field(description="Where the checksums come from, or why one is not known.")
    convert: str | None = Field(None, description="Why the published file cannot be used as it is.")
    published: str | None = Field(None, description="Where the published file is, if it must be converted.")
    files: tuple[CatalogueFile, ...] = Field(min_length=1)
    card: dict[str, Any]

    @property
    def unknown(self) -> tuple[str, ...]:
        """The names of the files whose SHA-256 the catalogue does not know."""
        return tuple(one.file for one in self.files if one.sha256 is None)

    def with_checksums(self, given: Mapping[str, str]) -> "CatalogueEntry":
        """The entry with checksums filled in by file name. Raises ``CatalogueError`` for one that contradicts it."""
        for one in self.files:
            if one.file in given and one.sha256 not in (None, given[one.file]):
                raise CatalogueError(
                    f"{self.name}: the checksum given for {one.file} is not the one in the catalogue; leave it out"
                )
        filled = [one.model_copy(update={"sha256": given.get(one.file, one.sha256)}) for one in self.files]
        return self.model_copy(update={"files": tuple(filled)})

    def model_card(self) -> ModelCard:
        """The card to be written beside the files. Raises ``CatalogueError`` if it is malformed or a checksum lacks."""
        if self.unknown:
            raise CatalogueError(f"{self.name}: no SHA-256 is known of {', '.join(self.unknown)}")
        checked = [Companion(file=one.file, sha256=one.sha256 or "") for one in self.files]
        weights = Weights(**checked[0].model_dump(), licence=self.licence)
        try:
            given = {"name": self.name, "weights": weights, "companions": tuple(checked[1:])}
            return ModelCard.model_validate(self.card | given)
        except ValidationError as error:
            raise CatalogueError(f"the catalogue's card of {self.name} is malformed: {_first(error)}") from None


def check_address(url: str) -> None:
    """Whether an address may be downloaded from: https, or http on this machine. Raises ``CatalogueError``."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise CatalogueError("the address cannot be understood; give one that begins with https://") from None
    if parts.username or parts.password:
        raise CatalogueError("an address must not hold a user name or password")
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))):
        raise CatalogueError("only https addresses are used, and http on this machine alone")


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine."""
    from ipaddress import ip_address

    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def read_catalogue(where: Settings) -> dict[str, CatalogueEntry]:
    """Every entry by its name; the user's own catalogue wins. Raises ``CatalogueError`` naming what is wrong."""
    packaged = packaged_text("overread", "data/catalogue.yaml")
    own = _own(where.catalogue) if where.catalogue is not None else []
    return {entry.name: entry for entry in [*_parse(packaged, "the packaged catalogue"), *own]}


def _own(path: Path) -> list[CatalogueEntry]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(f"OVERREAD_CATALOGUE cannot be read ({type(error).__name__})") from None
    return _parse(text, "OVERREAD_CATALOGUE")


def _parse(text: str, name: str) -> list[CatalogueEntry]:
    try:
        entries = yaml.safe_load(text)
    except yaml.YAMLError:
        raise CatalogueError(f"{name} is no YAML") from None
    if not isinstance(entries, list):
        raise CatalogueError(f"{name} must be a list of models")
    try:
        return [CatalogueEntry.model_validate(entry) for entry in entries]
    except ValidationError as error:
        raise CatalogueError(f"{name}: {_first(error)}") from None


def _first(error: ValidationError) -> str:
    first = error.errors(include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
