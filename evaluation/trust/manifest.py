"""The manifest: a CSV file with one image a line, and what is known of each.

Columns (only ``file`` and ``domain`` must be there):

- ``file``: the image, relative to the manifest's folder.
- ``domain``: a domain's label, or ``none`` for an image that must be refused.
- ``labels``: what the image shows, as the cards name it, with ``|`` between; ``-`` for nothing; empty for not known.
- ``looked_for``: the labels that were looked for, with ``|`` between; empty for all.
- ``mask``, ``mask_of``: a mask of the same size (above 127 inside), and what it outlines.
- ``boxes``: ``label:x0,y0,x1,y1`` in stored pixels, half-open, with ``;`` between.
- ``patient``: a key that is the same for all images of one person; intervals are drawn by it.
- ``taught``: the cards whose model learned from this image, with ``|`` between.
- ``age_band``, ``sex``, ``view``, ``laterality``: what is known of the patient and the picture, told to the models.

Every other column is a group for the fairness part, and so are ``age_band``, ``sex`` and ``view``.
"""

import csv
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from evaluation.errors import ManifestError
from overread.cards import file_sha256
from overread.domains import domains
from overread.records import Box, Context

NEEDED = ("file", "domain")
KNOWN = (*NEEDED, "labels", "looked_for", "mask", "mask_of", "boxes", "patient", "taught", "laterality")
CONTEXT = ("age_band", "sex", "view", "laterality")
NO_DOMAIN = "none"
NOTHING = "-"
MOST_ROWS = 100_000


@dataclass(frozen=True)
class Row:
    """One image. ``number`` is its line in the file, the heading being line 1.

    ``domain`` is ``None`` for an image that must be refused. ``labels`` is ``None`` where nothing is known.
    """

    number: int
    path: Path
    domain: str | None
    labels: frozenset[str] | None
    looked_for: frozenset[str] | None
    mask: Path | None
    mask_of: str
    boxes: tuple[tuple[str, Box], ...]
    patient: str
    taught: frozenset[str]
    context: Context
    groups: Mapping[str, str] = field(default_factory=dict)

    def holds(self, label: str) -> bool | None:
        """Whether the image shows a label; ``None`` where that is not known."""
        if self.labels is None or (self.looked_for is not None and label not in self.looked_for):
            return None
        return label in self.labels


@dataclass(frozen=True)
class Manifest:
    """All rows, the columns that name groups, and the SHA-256 of the file."""

    rows: tuple[Row, ...]
    group_columns: tuple[str, ...]
    sha256: str

    def of_domain(self, label: str | None) -> tuple[Row, ...]:
        """The rows of a domain, or of images that must be refused."""
        return tuple(row for row in self.rows if row.domain == label)


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest. Raises ``ManifestError`` that names the line and the column."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines, strict=True)
            heading = [name.strip() for name in reader.fieldnames or ()]
            _check_heading(heading)
            reader.fieldnames = heading
            groups = tuple(name for name in heading if name not in KNOWN)
            rows = tuple(_row(reader.line_num, entry, path.parent, groups) for entry in reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"the manifest cannot be read as CSV in UTF-8 ({type(error).__name__})") from None
    if not rows:
        raise ManifestError("the manifest has no rows")
    if len(rows) > MOST_ROWS:
        raise ManifestError(f"the manifest has more than {MOST_ROWS:,} rows; split it")
    return Manifest(rows, groups, file_sha256(path))


def _check_heading(heading: list[str]) -> None:
    missing = [name for name in NEEDED if name not in heading]
    if missing:
        raise ManifestError(f"the manifest has no column {missing[0]}; its first line must name its columns")
    if len(set(heading)) != len(heading) or not all(heading):
        raise ManifestError("two columns of the manifest have the same name, or one has none")


def _row(line: int, entry: dict[str, str | None], folder: Path, groups: tuple[str, ...]) -> Row:
    # A short line lacks values, a long one keeps the rest under the key None.
    if None in entry or None in entry.values():
        raise ManifestError(f"line {line} of the manifest has not as many values as there are columns")
    said = {name: (value or "").strip() for name, value in entry.items()}
    domain = said["domain"]
    if domain != NO_DOMAIN and domain not in domains():
        raise ManifestError(f"line {line}: the domain is neither a known label nor {NO_DOMAIN}; see docs/trust.md")
    path = _file(folder, said["file"], line, "file")
    known = {name: said[name] for name in CONTEXT if said.get(name)}
    try:
        context = Context.model_validate(known)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise ManifestError(f"line {line}: {where} is not a value that Overread knows") from None
    labels = said.get("labels", "")
    return Row(
        number=line,
        path=path,
        domain=None if domain == NO_DOMAIN else domain,
        labels=None if not labels else frozenset() if labels == NOTHING else _names(labels),
        looked_for=_names(said["looked_for"]) if said.get("looked_for") else None,
        mask=_file(folder, said["mask"], line, "mask") if said.get("mask") else None,
        mask_of=said.get("mask_of", ""),
        boxes=_boxes(said.get("boxes", ""), line),
        patient=said.get("patient") or f"line {line}",
        taught=_names(said.get("taught", "")),
        context=context,
        groups={name: said[name] for name in groups if said[name]},
    )


def _file(folder: Path, said: str, line: int, column: str) -> Path:
    path = folder / said
    if not said or not path.is_file():
        raise ManifestError(f"line {line}: the file in the column {column} is not there")
    return path


def _names(said: str) -> frozenset[str]:
    return frozenset(filter(None, (name.strip() for name in said.split("|"))))


def _boxes(said: str, line: int) -> tuple[tuple[str, Box], ...]:
    found = []
    for one in filter(None, (part.strip() for part in said.split(";"))):
        label, _, edges = one.rpartition(":")
        try:
            x0, y0, x1, y1 = (int(edge) for edge in edges.split(","))
        except ValueError:
            raise ManifestError(f"line {line}: a box is written label:x0,y0,x1,y1 in whole pixels") from None
        if not (0 <= x0 < x1 and 0 <= y0 < y1):
            raise ManifestError(f"line {line}: a box needs x0 < x1 and y0 < y1, from 0")
        found.append((label.strip(), (x0, y0, x1, y1)))
    return tuple(found)


def drawn(rows: Iterable[Row], most: int, seed: int) -> list[Row]:
    """At most ``most`` rows, the same ones for the same seed whatever other rows there are, in the file's order.

    Each row has a place by the hash of its patient and its line; the first places are taken.
    """

    def place(row: Row) -> bytes:
        return hashlib.sha256(f"{seed}:{row.patient}:{row.number}".encode()).digest()

    return sorted(sorted(rows, key=place)[:most], key=lambda row: row.number)


def mask_of(row: Row, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    """The mask of a row, bool ``(H, W)``; ``None`` without one. Raises ``ManifestError`` for another size."""
    from PIL import Image, UnidentifiedImageError

    if row.mask is None:
        return None
    try:
        with Image.open(row.mask) as image:
            mask = np.asarray(image.convert("L")) > 127
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise ManifestError(f"line {row.number}: the mask cannot be read ({type(error).__name__})") from None
    if mask.shape != shape:
        raise ManifestError(f"line {row.number}: the mask has not the size of its image")
    return mask
