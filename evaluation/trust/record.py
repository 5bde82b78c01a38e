"""The report as it is kept: one JSON file, written whole or not at all."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluation.errors import ReportError
from evaluation.trust.outcome import Measured, Outcome

FORMAT = "overread trust report 1"


@dataclass
class Report:
    """What was measured on what, with which models, and what each part came to.

    ``about`` holds version, seed, sizes, the manifest's SHA-256 and counts, and the models with their SHA-256.
    """

    about: dict[str, Any]
    titles: dict[str, str] = field(default_factory=dict)
    parts: dict[str, Outcome] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def figures(self) -> Iterator[tuple[str, Measured]]:
        """Every figure by its id, ``part/subject/name``."""
        for part, outcome in self.parts.items():
            for figure in outcome.figures:
                yield f"{part}/{figure.subject}/{figure.name}", figure

    def as_json(self) -> dict[str, Any]:
        """As one JSON object."""
        parts = {
            name: {"title": self.titles.get(name, name), "seconds": self.seconds.get(name), **outcome.as_json()}
            for name, outcome in self.parts.items()
        }
        return {"format": FORMAT, "about": self.about, "parts": parts}


def read_report(path: Path) -> Report:
    """A report from its JSON file. Raises ``ReportError`` for a file that is none."""
    told = read_json(path)
    if told.get("format") != FORMAT:
        raise ReportError("the file is no trust report of this version; make one with: overread audit run")
    try:
        parts = {name: Outcome.of_json(one) for name, one in told["parts"].items()}
        titles = {name: str(one["title"]) for name, one in told["parts"].items()}
        seconds = {name: float(one["seconds"] or 0) for name, one in told["parts"].items()}
        return Report(dict(told["about"]), titles, parts, seconds)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReportError(f"the trust report is not as it was written ({type(error).__name__})") from None


def read_json(path: Path) -> Mapping[str, Any]:
    """The JSON object in a file. Raises ``ReportError``."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ReportError(f"the report cannot be read as JSON ({type(error).__name__})") from None
    if not isinstance(told, dict):
        raise ReportError("the report is no JSON object")
    return told


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all. Raises ``ReportError``."""
    part = None
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False, encoding="utf-8") as file:
            part = Path(file.name)
            file.write(text)
        # What mkstemp makes only its owner may read; a report is meant to be shown.
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    except OSError as error:
        raise ReportError(f"the report cannot be written there ({type(error).__name__})") from None
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def as_text(told: Mapping[str, Any]) -> str:
    """A JSON object as it is written, with no number that JSON does not know."""
    return json.dumps(told, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
