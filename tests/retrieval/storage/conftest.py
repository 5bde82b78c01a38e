"""Small libraries on disk."""

from collections.abc import Callable
from pathlib import Path

import pytest

from retrieval.storage import indexing

Make = Callable[..., Path]


def silent(_stage: str, _done: int, _total: int) -> None:
    """No progress is shown."""


NOTES = {
    "sarcoidosis.md": "# Sarcoidosis\n\n## Confirming it\n\nSarcoidosis is confirmed by biopsy. Granulomas are seen.\n",
    "goitre.md": "---\ndate: 2019-05\n---\n# Goitre\n\n## Causes\n\n"
    "A lack of iodine causes goitre. Graves disease does too.\n",
    "zorblax.jsonl": '{"id": "z", "title": "Zorblax", "text": "Zorblax cures asthma.", "status": "retracted", '
    '"date": "2011"}\n{"id": "r", "title": "Report 1", "text": "Goitre displaces the trachea.", "role": "report"}\n',
}


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """A folder of three files with four documents."""
    folder = tmp_path / "documents"
    folder.mkdir()
    for name, text in NOTES.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def base(tmp_path: Path, documents: Path) -> Path:
    """A library of those documents, not encoded."""
    made = tmp_path / "base"
    indexing.add(made, [documents], silent)
    return made
