"""The JSON file of a report: where it may be written, and how."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from serve.errors import ArgumentsError

if TYPE_CHECKING:
    from overread.events import Event


def check_report_path(path: Path, question: str, images: Sequence[Path]) -> None:
    """Whether a report is asked for and can be written there, before anything is computed.

    Raises ``ArgumentsError``.
    """
    from agent.question import understand

    if not understand(question).report:
        raise ArgumentsError('--report needs a question that asks for a report, such as "Write a report"')
    if path.suffix.lower() != ".json":
        raise ArgumentsError("--report writes JSON; give a file name that ends in .json")
    if path.is_dir() or not path.parent.is_dir():
        raise ArgumentsError("--report cannot be written: its folder is not there, or it names a folder")
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise ArgumentsError("--report cannot be written: there is no permission to write there")
    if path.exists() and any(path.samefile(image) for image in images):
        raise ArgumentsError("--report names one of the images; it would be overwritten")


def write_report(path: Path, events: "Sequence[Event]") -> None:
    """Write the report in the events as JSON, whole or not at all. Raises ``ArgumentsError``."""
    from agent.report import report_of

    text = report_of(events).model_dump_json(indent=2) + "\n"
    part = None
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False, encoding="utf-8") as file:
            part = Path(file.name)
            file.write(text)
        part.replace(path)
    except OSError as error:
        raise ArgumentsError(f"--report cannot be written ({type(error).__name__})") from None
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
