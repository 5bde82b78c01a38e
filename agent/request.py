"""What a person, a program or another agent asks."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from overread.records import Context

if TYPE_CHECKING:
    from agent.opening import OpenedStudy


@dataclass(frozen=True)
class Turn:
    """One earlier turn of a conversation that its caller keeps: ``role`` is ``user`` or ``assistant``."""

    role: str
    text: str


@dataclass(frozen=True)
class Request:
    """A question, with the images it is about.

    ``images`` are paths of files, folders or archives, each one study, or studies that were opened already; with
    none, it is a question of knowledge, or of the thread's earlier images.
    ``thread`` names a conversation that is remembered; ``None`` remembers nothing.
    ``prior`` is an earlier study of the same patient that the one image is compared with.
    ``context`` is laid over what the header says. ``frame`` picks one frame of many.
    """

    question: str
    images: "tuple[Path | OpenedStudy, ...]" = ()
    thread: str | None = None
    context: Context = field(default_factory=lambda: Context())
    frame: int | None = None
    prior: Path | None = None
    history: tuple[Turn, ...] = ()
