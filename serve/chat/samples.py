"""Studies to try the page with: phantoms drawn at the moment they are opened, and images of installed packages."""

import shutil
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

from pydantic import model_validator

from overread.packaged import packaged_yaml
from overread.records import Record
from serve.errors import NoStudyError
from serve.examples import EXAMPLES
from serve.phantoms import chest_film, head_slices, retina

PHANTOMS: dict[str, Callable[[], Iterable[bytes]]] = {
    "film": lambda: [chest_film()],
    "head": head_slices,
    "retina": lambda: [retina()],
}
"""The files of each phantom, drawn anew."""


class Sample(Record):
    """A study to try, with a question to begin with. It is a phantom, or the example of that number."""

    name: str
    title: str
    about: str
    question: str = ""
    phantom: str | None = None
    example: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_its_question(cls, data: dict[str, object]) -> dict[str, object]:
        number = data.get("example")
        return data if not isinstance(number, int) else {"question": EXAMPLES[number].question, **data}

    def write(self, place: Path) -> None:
        """Write its files to a folder, as a drop of them would come. Raises ``ServeError``."""
        if self.example is not None:
            shutil.copyfile(EXAMPLES[self.example].path(), place / "000000")
            return
        for number, data in enumerate(PHANTOMS[self.phantom or ""]()):
            (place / f"{number:06d}").write_bytes(data)


@lru_cache(maxsize=1)
def samples() -> tuple[Sample, ...]:
    """All of them, in the order they are offered."""
    return tuple(Sample.model_validate(entry) for entry in packaged_yaml("serve.chat", "samples.yaml"))


def sample(name: str) -> Sample:
    """The one of that name. Raises ``NoStudyError``."""
    found = next((one for one in samples() if one.name == name), None)
    if found is None:
        raise NoStudyError
    return found
