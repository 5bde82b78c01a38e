"""Keeps standard output for the answer alone, and writes pictures to files."""

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from serve.cli import EXIT_BROKEN_PIPE
from serve.errors import ArgumentsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@contextmanager
def own_stdout() -> Iterator[TextIO]:
    """A private handle on standard output. What libraries print to it meanwhile goes to stderr.

    A reader that went away ends the process quietly, with the exit code a shell shows for SIGPIPE.
    Library warnings, logs and progress bars are silenced: what the user must know comes as an event.
    """
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)
    sys.stdout.flush()
    number = sys.stdout.fileno()
    private = os.dup(number)
    os.dup2(sys.stderr.fileno(), number)
    out = os.fdopen(private, "w", encoding="utf-8", errors="replace", newline="\n")
    try:
        yield out
        out.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), private)
        raise SystemExit(EXIT_BROKEN_PIPE) from None
    finally:
        sys.stdout.flush()
        os.dup2(private, number)
        out.close()


def check_picture_path(path: Path, images: tuple[Path, ...], option: str = "--overlay") -> None:
    """Whether a PNG can be written there, before anything is computed. Raises ``ArgumentsError``."""
    if path.suffix.lower() != ".png":
        raise ArgumentsError(f"{option} writes a PNG; give a file name that ends in .png")
    if path.is_dir() or not path.parent.is_dir():
        raise ArgumentsError(f"{option} cannot be written: its folder is not there, or it names a folder")
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise ArgumentsError(f"{option} cannot be written: there is no permission to write there")
    if path.exists() and any(path.samefile(image) for image in images):
        raise ArgumentsError(f"{option} names one of the images; it would be overwritten")


def write_picture(path: Path, pixels: "NDArray[np.uint8]", option: str = "--overlay") -> None:
    """Write uint8 ``(H, W, 3)`` RGB or ``(H, W)`` grey as a PNG, whole or not at all. Raises ``ArgumentsError``."""
    from PIL import Image

    part = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".png", delete=False) as file:
            part = Path(file.name)
            Image.fromarray(pixels).save(file, format="PNG")
        part.replace(path)
    except OSError as error:
        if part is not None:
            part.unlink(missing_ok=True)
        raise ArgumentsError(f"{option} cannot be written ({type(error).__name__})") from None
