"""The words of the agent's refusals, which are data in ``prompts/refusals.yaml``."""

from functools import lru_cache
from typing import TYPE_CHECKING

from agent.state import Refused
from overread.domains import domains
from overread.events import RefusalEvent
from overread.packaged import packaged_yaml
from overread.records import RefusalReason

if TYPE_CHECKING:
    from guardrails.refusal import Refusal


@lru_cache(maxsize=1)
def _texts() -> dict[str, dict[str, str]]:
    texts: dict[str, dict[str, str]] = packaged_yaml("agent", "prompts/refusals.yaml")
    return texts


def refuse(reason: RefusalReason, study_id: str | None = None, **values: object) -> Refused:
    """A refusal with its words filled in."""
    known = ", ".join(domain.words for domain in list(domains().values())[:4])
    texts = {name: text.format(**{"known": known, **values}) for name, text in _texts()[reason].items()}
    return Refused(reason=reason, study_id=study_id, **texts)


def told(refusal: "Refusal") -> Refused:
    """A refusal of the guardrails, as the state keeps it."""
    return Refused(reason=refusal.reason, message=refusal.message, missing=refusal.missing, next_step=refusal.next_step)


def event_of(refused: Refused) -> RefusalEvent:
    """The refusal as an event."""
    return RefusalEvent.model_validate(refused.model_dump())


def explanation(refused: Refused) -> str:
    """The refusal as the sentences of an answer: why, and what to do next."""
    return " ".join(part for part in (refused.message, refused.next_step) if part)
