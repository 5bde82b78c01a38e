"""Pulls a model of the catalogue into the user's folder: its files, then its card.

The card is written last and in one step, so a model is either whole or not there.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml

from overread.cards import CardFile, card_paths, file_sha256, read_card
from overread.catalogue import CatalogueEntry
from overread.download import PART, Progress, adopt, download
from overread.errors import CardError, CatalogueError, DownloadError
from overread.settings import Settings


@dataclass(frozen=True)
class Pulled:
    """A model that is there now. ``fetched`` are the files that were not there before."""

    file: CardFile
    fetched: tuple[str, ...]


def home_of(name: str, where: Settings) -> Path:
    """The folder a model is put into: in ``OVERREAD_MODELS`` if that is set, else in the user's cache."""
    return (where.models or where.cache / "models") / name


def present(entry: CatalogueEntry, where: Settings) -> CardFile | None:
    """The card of that name which is there with every file unaltered, and with the catalogue's checksums."""
    for path in card_paths(where):
        if path.parent.name != entry.name:
            continue
        try:
            file = read_card(path)
            file.check()
        except CardError:
            continue
        known = {one.file: one.sha256 for one in entry.files if one.sha256 is not None}
        held = {one.file: one.sha256 for one in (file.card.weights, *file.card.companions)}
        if file.card.name == entry.name and known.items() <= held.items():
            return file
    return None


def pull(entry: CatalogueEntry, where: Settings, progress: Progress, local: Path | None = None) -> Pulled:
    """Put a model's files and its card in place. ``local`` is a file to take as its weights, with no network.

    A file that is in its place with the right checksum is used as it is. Raises ``CatalogueError`` when a
    checksum is not known, ``DownloadError`` when a file cannot be had or is another.
    """
    card = entry.model_card()
    home = home_of(entry.name, where)
    fetched = []
    for number, wanted in enumerate(entry.files):
        target = home / wanted.file
        if _is(target, wanted.sha256):
            continue
        beside = None if where.models is None else where.models / wanted.file
        if number == 0 and local is not None:
            _take(local, target, wanted.sha256)
        elif beside is not None and _is(beside, wanted.sha256):
            _take(beside, target, wanted.sha256)
        elif wanted.url is None:
            raise CatalogueError(f"{entry.name}: {entry.convert or 'no address is known'}; then give it with --from")
        else:
            download(wanted, home, progress)
            fetched.append(wanted.file)
    _write(home / "card.yaml", yaml.safe_dump(card.model_dump(mode="json", exclude_defaults=True), sort_keys=False))
    return Pulled(read_card(home / "card.yaml"), tuple(fetched))


def _is(path: Path, sha256: str | None) -> bool:
    return path.is_file() and file_sha256(path) == sha256


def _take(source: Path, target: Path, sha256: str | None) -> None:
    """Copy a file into its place, checked on the way."""
    part = target.with_name(target.name + PART)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, part)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise DownloadError(f"the file given cannot be copied ({type(error).__name__})") from None
    adopt(part, target, sha256 or "")


def _write(path: Path, text: str) -> None:
    part = None
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=PART, delete=False, encoding="utf-8") as file:
            part = Path(file.name)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o644)
        part.replace(path)
    except OSError as error:
        if part is not None:
            part.unlink(missing_ok=True)
        raise DownloadError(f"the card cannot be written ({type(error).__name__})") from None
