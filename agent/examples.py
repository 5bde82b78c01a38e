"""Past reports as examples of wording for a language model: never evidence, and nothing of them is quoted.

Each is like the findings at hand, has no comparison and no identity in it, and none of its sentences gives orders.
The gate knows nothing of them, so a sentence that repeats what one says of its own patient has nothing to stand on.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from agent.events import Emit
from agent.evidence import Evidence, of_this_image
from agent.run import Run
from overread.errors import OverreadError
from overread.events import WithheldEvent

if TYPE_CHECKING:
    from guardrails.phi.text import TextDetector
    from retrieval.reports import PastReports

MOST = 3
"""Examples a language model gets."""

LONGEST = 1_500
"""Characters of one; a longer report is cut behind a sentence."""

log = logging.getLogger(__name__)


def redaction(detector: "TextDetector") -> Callable[[str], str]:
    """What takes identity out of a past report. It raises ``DetectorError`` when that fails."""
    from guardrails.phi.text import redact

    return lambda text: redact(text, None, detector).text


async def examples_for(evidence: Evidence, run: Run, emit: Emit) -> tuple[str, ...]:
    """The past reports most like the findings; none unless a report is asked for and past reports are set.

    Sentences that give orders are left out, and a ``withheld`` event says so. Past reports that cannot be read or
    cleaned are left out too, with an event, and the run goes on.
    """
    if not evidence.report or run.settings.reports is None:
        return ()
    try:
        past = await asyncio.to_thread(run.parts.reports)
        found = await asyncio.to_thread(_like, past, evidence) if past is not None else []
    except OverreadError as error:
        log.warning("past reports are not used (%s)", type(error).__name__)
        emit(WithheldEvent(stage="input", reason="error"))
        return ()
    clean = await asyncio.to_thread(run.parts.passages().disarm, [run.scrub(text) for text in found])
    if any(one.removed for one in clean):
        emit(WithheldEvent(stage="input", reason="injection"))
    return tuple(one.text for one in clean if one.text)


def _like(past: "PastReports", evidence: Evidence) -> list[str]:
    from guardrails.sentences import split_sentences

    seen = of_this_image(evidence).findings
    present, absent = (
        list(dict.fromkeys(one.finding.label for one in seen if one.finding.decision == decision))
        for decision in ("present", "absent")
    )
    texts = []
    for one in past.similar(present, absent, k=MOST):
        kept = ""
        for sentence in split_sentences(one.text):
            if len(kept) + len(sentence) > LONGEST:
                break
            kept += sentence
        texts.append(kept.strip())
    return [text for text in texts if text]
