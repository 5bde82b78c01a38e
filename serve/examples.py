"""Real images that come with packages Overread needs anyway. Nothing is downloaded."""

from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from serve.errors import ServeError


@dataclass(frozen=True)
class Example:
    """An image of an installed package, with a question to ask about it."""

    title: str
    package: str
    file: str
    question: str

    def path(self) -> Path:
        """Where the image lies. Raises ``ServeError`` when the package came without it."""
        with as_file(files(self.package).joinpath(self.file)) as path:
            if not path.is_file():
                raise ServeError(f"the package {self.package} came without {self.file}; install it again")
            return path


EXAMPLES = (
    Example("A CT slice (pydicom)", "pydicom", "data/test_files/CT_small.dcm", "What kind of image is this?"),
    Example("A retina (scikit-image)", "skimage", "data/retina.jpg", "What is this, and what is glaucoma?"),
    Example("A histology section (scikit-image)", "skimage", "data/ihc.png", "What do you see in this image?"),
    Example("A cat (scikit-image)", "skimage", "data/chelsea.png", "Is there a pneumonia in this image?"),
)
"""Three images Overread knows by kind, and a photograph it refuses."""
