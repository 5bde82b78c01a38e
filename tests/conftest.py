"""What several rooms' tests share: the folder of shared data, and settings that keep to a test's own folder."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

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
