"""Finds identity in free text: our clinical patterns, a tagger, and Presidio's recognizers for numbers with a checksum.

The clinical patterns look at every text. Presidio's engine is asked only where one of its recognizers
could match at all (a long number, an address of a machine or a wallet), and is loaded when that first
happens: it takes seconds to import, and most sentences about an image never need it. The tagger reads every text
with words in it, for the people, places and hospitals that no pattern knows.
"""

import re
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from guardrails.errors import DetectorError
from guardrails.phi.folding import fold
from guardrails.phi.identity import Identity
from guardrails.phi.patterns import ClinicalPatterns
from guardrails.phi.spans import Redacted, Span, merge, replace
from overread.settings import settings

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine

_FOR_PRESIDIO = re.compile(
    r"""\d(?:[ -]?\d){8,}                                     # a card
        |[A-Za-z]\d{7}                                        # a licence
        |\B::[0-9A-Fa-f]|[0-9A-Fa-f]::|[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){3}          # the address of a machine
        |[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}
        |(?:bc1|[13])[A-Za-z0-9]{25}                          # a wallet
        |[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2}                 # a bank account""",
    re.VERBOSE,
)
"""What any of Presidio's recognizers in ``guardrails.phi.presidio`` needs to see before it can match."""


class TextDetector:
    """Finds identity in text. Thread-safe; one serves the whole process.

    ``tagged`` says whether the tagger reads along; unset, the setting ``OVERREAD_NAME_TAGGER`` does.
    """

    def __init__(self, tagged: bool | None = None) -> None:
        self._tagged = settings().name_tagger if tagged is None else tagged
        self._patterns = ClinicalPatterns()
        self._lock = threading.Lock()
        self._analyzer: AnalyzerEngine | None = None

    def spans(self, text: str, within: tuple[int, int] | None = None) -> list[Span]:
        """Where identity stands, in offsets of ``text``, in order and without overlap.

        With ``within``, half-open, what stands around that part is read for its sake alone: the tagger looks no
        further than it must. Raises ``DetectorError`` when a detector fails; the text must then not be shown.
        """
        return self._watched(partial(self._found, within=within) if self._tagged else self._known, text)

    def known(self, text: str) -> list[Span]:
        """The same without the tagger, which has nothing to go by in a label or a list of words."""
        return self._watched(self._known, text)

    def _watched(self, find: Callable[[str], list[Span]], text: str) -> list[Span]:
        try:
            return find(text)
        except Exception as error:  # noqa: BLE001 - whatever fails, the text must not be shown
            raise DetectorError(f"the identity detector failed ({type(error).__name__}); nothing was shown") from None

    def _known(self, text: str) -> list[Span]:
        found = self._patterns.spans(text)
        folded = fold(text)
        if _FOR_PRESIDIO.search(folded.text) and not _explained(folded.text, text, found):
            from guardrails.phi.presidio import analyze

            theirs = analyze(self.analyzer(), folded.text)
            found = merge([*found, *(Span(*folded.span(a, b), kind) for a, b, kind in theirs)])
        return found

    def _found(self, text: str, within: tuple[int, int] | None = None) -> list[Span]:
        from guardrails.phi.tagger import name_tagger

        found = self._known(text)
        return merge([*found, *(_as_found(span, found) for span in name_tagger().spans(text, within))])

    def analyzer(self) -> "AnalyzerEngine":
        """The Presidio engine that hosts all recognizers, ours among them, built on first use."""
        with self._lock:
            if self._analyzer is None:
                from guardrails.phi.presidio import build_analyzer

                self._analyzer = build_analyzer(self._patterns)
            return self._analyzer


def _as_found(span: Span, found: list[Span]) -> Span:
    """A stretch that the tagger marks, of the kind that a pattern has found in it: patterns know kinds better."""
    kind = next((one.kind for one in found if one.start < span.end and span.start < one.end), span.kind)
    return Span(span.start, span.end, kind)


def _explained(folded: str, text: str, found: list[Span]) -> bool:
    """Whether everything Presidio would be asked about is already found."""
    if len(folded) != len(text):
        return False
    return all(
        any(span.start <= match.start() and match.end() <= span.end for span in found)
        for match in _FOR_PRESIDIO.finditer(folded)
    )


def redact(text: str, identity: Identity | None = None, detector: TextDetector | None = None) -> Redacted:
    """The text with the run's identifiers and everything the detector finds replaced by markers."""
    found = list(identity.find(text)) if identity is not None else []
    if detector is not None:
        found += detector.spans(text)
    return replace(text, found)
