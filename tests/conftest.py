"""What several rooms' tests share: the folder of shared data, and settings that keep to a test's own folder."""

import csv
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings as hypothesis_settings
from PIL import Image

from overread.settings import Settings

# A machine that does something else at the same time must not fail a property.
hypothesis_settings.register_profile("house", deadline=None)
hypothesis_settings.load_profile("house")

# A run in the background of a shell ignores SIGINT, and so would the commands that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parent.parent


def shared_folder() -> Path | None:
    """``OVERREAD_SHARED``, or ``shared/`` beside or in the repository, or ``None``."""
    named = os.environ.get("OVERREAD_SHARED")
    places = [Path(named)] if named else [ROOT.parent / "shared", ROOT / "shared"]
    return next((place for place in places if (place / "data").is_dir()), None)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of shared data. A test that asks for it is skipped where there is none."""
    folder = shared_folder()
    if folder is None:
        pytest.skip("shared/data is not here; set OVERREAD_SHARED to its parent folder")
    return folder / "data"


@pytest.fixture
def own_settings(tmp_path: Path) -> Settings:
    """Settings whose state and cache lie in the test's own folder."""
    return Settings(state=tmp_path / "state", cache=tmp_path / "cache")


@pytest.fixture
def stack(tmp_path: Path, shared_data: Path) -> Path:
    """Twelve pages of chest X-rays: not a real volume, but many frames of a kind that has a tool."""
    with (shared_data / "images.csv").open(newline="", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["domain"] == "cxr_kermany"][:11]
    pages = [Image.open(shared_data / row["file"]).convert("L").resize((224, 224)) for row in rows]
    pages.insert(3, Image.fromarray(np.zeros((224, 224), dtype=np.uint8)))
    pages[0].save(tmp_path / "stack.tiff", save_all=True, append_images=pages[1:])
    return tmp_path / "stack.tiff"
