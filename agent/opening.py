"""Opens a study: read, identity out of its header, burned-in text masked, and what may be told of it.

The one way in which a run reads its images, and in which a page opens what was dropped on it before any question.
"""

import secrets
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agent.burned_in import mask_burned_in
from agent.whose import Whose
from overread.events import StudyEvent
from overread.records import Privacy

if TYPE_CHECKING:
    from agent.parts import Parts
    from agent.segmenting import Outliner
    from guardrails.phi.identity import Identity
    from guardrails.phi.pixels import WrittenText
    from overread.records import Box
    from overread.settings import Settings
    from tools.imaging.study import Study
    from tools.imaging.window import Tone


@dataclass(eq=False)
class OpenedStudy:
    """A study that may be shown. Safe to use from several threads, and by several runs.

    ``handle`` is what a page calls it: random, like the study id in ``event``, which holds the facts and the privacy
    receipt. ``frame`` is the representative one, ``slice_spacing_mm`` the distance between frames that are evenly
    spaced slices. ``whose`` and ``identity`` are for the runs about it, which must know what may not be said.
    """

    handle: str
    event: StudyEvent
    frame: int
    whose: Whose = field(repr=False)
    identity: "Identity" = field(repr=False)
    _study: "Study" = field(repr=False)
    _header: list[str] = field(repr=False)
    _written: "list[list[WrittenText]]" = field(repr=False)
    _outliner: "Outliner | None" = field(default=None, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    @property
    def slice_spacing_mm(self) -> float | None:
        """The distance from each frame to the next in mm, or ``None``."""
        return self._study.slice_spacing_mm

    @property
    def held_bytes(self) -> int:
        """About what it takes in memory."""
        return self._study.held_bytes

    @property
    def content_hash(self) -> str:
        """SHA-256 of what was read: for caches inside the process, never to be told."""
        return self._study.content_hash

    def display(self, frame: int) -> NDArray[np.uint8]:
        """RGB uint8 ``(H, W, 3)``, windowed as the file says, masked.

        Raises ``FrameError`` for a frame that is not there, ``UnreadableStudyError`` for one that does not decode.
        """
        return self._study.display(frame)

    def values(self, frame: int) -> NDArray[np.float32] | None:
        """Grey values float32 ``(H, W)`` in the modality's unit, masked, or ``None`` for colour. Raises as above."""
        return self._study.values(frame)

    def tone(self, frame: int) -> "Tone | None":
        """How ``display`` shows the values of a frame; ``None`` for colour. Raises as above."""
        return self._study.tone(frame)

    @property
    def masked(self) -> "tuple[Box, ...]":
        """The regions that are taken out of all frames."""
        return self._study.masked

    def outliner(self, parts: "Parts") -> "Outliner":
        """What outlines objects in it, the same one every time."""
        from agent.segmenting import Outliner

        with self._lock:
            if self._outliner is None:
                self._outliner = Outliner(self._study, parts)
            return self._outliner

    def for_run(self, identity: "Identity") -> "tuple[Study, int | None]":
        """The study for one run, whose context the run may change, and how many regions of it are masked.

        ``identity``, the run's, takes in the identifiers of this study. Written text that names somebody of
        another study of the run is masked too, for good.
        """
        identity.include(self.identity)
        privacy = self.event.privacy
        if identity is not self.identity and privacy.regions_masked is not None:
            boxes = {text.box for texts in self._written for text in texts if identity.find(text.words)}
            before = len(self._study.masked)
            self._study.mask_regions([box for box in boxes if not _covered(box, self._study.masked)])
            masked = privacy.regions_masked + len(self._study.masked) - before
            privacy = privacy.model_copy(update={"regions_masked": masked})
            self.event = self.event.model_copy(update={"privacy": privacy})
        return self._study.beside(), privacy.regions_masked

    def gives_orders(self) -> bool:
        """Whether what people wrote in the header or on the picture tells the machine what to do.

        Neither is handed to anybody, so this is only told.
        """
        from guardrails.disarm import gives_orders

        lines = [[text.words for text in texts] for texts in self._written]
        written = [fragment for one in lines for fragment in (*one, " ".join(one))]
        return gives_orders(self._header, "header") or gives_orders(written, "ocr")


def look_into(path: Path, settings: "Settings") -> "Study":
    """The file, folder or archive at ``path`` with identity out of its header, for who measures and shows no picture.

    Text that is burned into the pixels stays there: whatever is shown of a study comes from ``open_study``. Raises
    ``UnreadableStudyError``.
    """
    from guardrails.phi.header import HeaderStripper
    from guardrails.phi.identity import Identity
    from tools.imaging.reader import read_study

    return read_study(path, HeaderStripper(Identity()), settings)


def open_study(
    path: Path, parts: "Parts", settings: "Settings | None" = None, identity: "Identity | None" = None
) -> OpenedStudy:
    """Open the file, folder or archive at ``path``.

    ``settings`` are other ones than the parts'. ``identity`` is a list that the study's identifiers go to, and
    that text on its picture is compared with; without one, the study has its own. Raises
    ``UnreadableStudyError``, and ``DetectorError`` where burned-in text cannot be looked for: such a study is not used.
    """
    from guardrails.phi.header import HeaderStripper
    from guardrails.phi.identity import Identity
    from tools.imaging.reader import read_study

    settings = settings or parts.settings
    identity = Identity() if identity is None else identity
    stripper, whose = HeaderStripper(identity), Whose()
    study = read_study(path, whose.watching(stripper), settings)
    written: list[list[WrittenText]] = []
    masked = mask_burned_in(
        study,
        parts.text_reader(),
        identity,
        parts.detector(),
        always=settings.llm_images > 0,  # what a language model sees has always been looked at
        heard=written,
    )
    event = StudyEvent(
        study_id=study.study_id,
        modality=study.modality,
        images=study.contents.images,
        size=study.size,
        frames=study.frames,
        spacing_mm=study.spacing_mm,
        privacy=Privacy(header_removed=stripper.removed, header_replaced=stripper.replaced, regions_masked=masked),
        context=study.context,
        contents=study.contents,
    )
    return OpenedStudy(
        handle=secrets.token_hex(16),
        event=event,
        frame=study.representative_frame(),
        whose=whose,
        identity=identity,
        _study=study,
        _header=stripper.texts,
        _written=written,
    )


def _covered(box: "Box", regions: "tuple[Box, ...]") -> bool:
    return any(x0 <= box[0] and y0 <= box[1] and box[2] <= x1 and box[3] <= y1 for x0, y0, x1, y1 in regions)
