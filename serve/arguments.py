"""What a caller typed, checked and made into a ``Request``. Nothing here reads an image.

Every fault is one ``ArgumentsError`` that names an image by its place, never by its file name.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from overread.packaged import packaged_yaml
from serve.errors import ArgumentsError

if TYPE_CHECKING:
    from agent.request import Request
    from overread.records import Context

_THREAD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_BODY_PART = re.compile(r"[A-Z]{2,16}")
_ORDINALS = ("first", "second", "third")
MAX_QUESTION = 8_000
"""Most characters of a question."""


def image_place(index: int, of: int) -> str:
    """An image by its place, counted from 0: "the image", "the first image", "image 4"."""
    if of == 1:
        return "the image"
    return f"the {_ORDINALS[index]} image" if index < len(_ORDINALS) else f"image {index + 1}"


def read_request(
    words: Sequence[str],
    thread: str | None = None,
    context: Sequence[str] = (),
    frame: int | None = None,
    prior: Path | None = None,
) -> "Request":
    """The request of ``overread ask``: images first, the question last. Raises ``ArgumentsError``."""
    from agent.request import Request

    question = words[-1].strip() if words else ""
    images = tuple(Path(word) for word in words[:-1])
    if not question:
        raise ArgumentsError("the question is empty; give it as the last argument, in quotes")
    if _is_there(Path(words[-1])):
        raise ArgumentsError(
            "the last argument is a file or folder, so the question is missing; give it last, in quotes"
        )
    if len(question) > MAX_QUESTION:
        raise ArgumentsError(f"the question is longer than {MAX_QUESTION} characters; ask something shorter")
    check_images(images)
    if thread is not None and not _THREAD.fullmatch(thread):
        raise ArgumentsError(
            "a thread id is 1 to 64 letters, digits, '.', '_' or '-', and starts with a letter or digit"
        )
    if frame is not None and frame < 0:
        raise ArgumentsError("--frame counts from 0; give 0 or more")
    if prior is not None:
        _check_prior(prior, images)
    known = read_context(context)
    return Request(question=question, images=images, thread=thread, context=known, frame=frame, prior=prior)


def _check_prior(prior: Path, images: Sequence[Path]) -> None:
    if len(images) != 1:
        raise ArgumentsError("--prior is compared with one image; give one image with it")
    if _ADDRESS.match(str(prior)):
        raise ArgumentsError("--prior is an address; only files on this machine are read")
    if not _is_there(prior):
        raise ArgumentsError("--prior is no file or folder that is there; check its path")


def check_images(images: Sequence[Path]) -> None:
    """Whether every image is a file that is there. Raises ``ArgumentsError``."""
    for index, image in enumerate(images):
        place = image_place(index, len(images))
        if _ADDRESS.match(str(image)):
            raise ArgumentsError(f"{place} is an address; only files on this machine are read")
        if not _is_there(image):
            raise ArgumentsError(f"{place} is no file or folder that is there; check its path, and quote the question")


def _is_there(path: Path) -> bool:
    try:
        return path.is_file() or path.is_dir()
    except (OSError, ValueError):
        return False


@lru_cache(maxsize=1)
def choices() -> dict[str, tuple[str, ...]]:
    """The values each context key takes; () for a key with a pattern instead of a list."""
    from overread.records import Context

    views: dict[str, list[str]] = packaged_yaml("serve", "context.yaml")
    taken: dict[str, tuple[str, ...]] = {}
    for name, field in Context.model_fields.items():
        options = [get_args(option) for option in get_args(field.annotation)]
        taken[name] = next((option for option in options if option), ())
    return taken | {"view": tuple(views["views"])}


def read_context(given: Sequence[str]) -> "Context":
    """``("age_band=child,view=PA",)`` as a ``Context``. Raises ``ArgumentsError`` naming what is allowed."""
    from overread.records import Context

    read: dict[str, Any] = {}
    for pair in (pair.strip() for text in given for pair in text.split(",")):
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or key not in choices():
            raise ArgumentsError(f"--context takes key=value with a key of: {', '.join(choices())}")
        if key in read:
            raise ArgumentsError(f"--context names {key} twice; give it once")
        read[key] = _value(key, value)
    return Context.model_validate(read)


def _value(key: str, value: str) -> str:
    allowed = choices()[key]
    for option in allowed:
        if option.lower() == value.lower():
            return option
    if allowed:
        raise ArgumentsError(f"--context {key} takes one of: {', '.join(allowed)}")
    if not _BODY_PART.fullmatch(value.upper()):
        raise ArgumentsError(f"--context {key} takes one word of letters, such as CHEST")
    return value.upper()
