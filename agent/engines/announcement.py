"""How a run says that the composer writes."""

from overread.events import EngineEvent

NAME = "composer"
MODEL = "built-in composer (no language model)"


def composer_event(fallback_from: str | None = None) -> EngineEvent:
    """The ``engine`` event of the composer; ``fallback_from`` is the engine that failed before it."""
    return EngineEvent(name=NAME, model=MODEL, fallback_from=fallback_from)
