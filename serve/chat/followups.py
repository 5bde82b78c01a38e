"""Questions that are offered after an answer: only such as can be answered, from what the search finds for them."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from overread.events import DomainEvent, DoneEvent, Event, PassageEvent, RefusalEvent, ToolResultEvent
from overread.packaged import packaged_yaml
from overread.records import label_words
from serve.chat.session import Turn

Titles = Callable[[str], Sequence[str]]
"""The titles of the passages that are found for a question; empty where nothing answers it."""

MOST_SUBJECTS = 3


@lru_cache(maxsize=1)
def _offered() -> dict[str, Any]:
    data: dict[str, Any] = packaged_yaml("serve.chat", "followups.yaml")
    return data


def follow_ups(turns: Sequence[Turn], titles: Titles) -> tuple[str, ...]:
    """What can be asked after the last turn: nothing that was asked before, nothing that tells only what was shown."""
    last = turns[-1].events
    if not any(isinstance(event, DoneEvent) for event in last):
        return ()
    every = [event for turn in turns for event in turn.events]
    asked = {_bare(turn.question) for turn in turns}
    shown = {event.title for event in every if isinstance(event, PassageEvent)}
    offered = _offered()
    found: list[str] = []
    for subject in _subjects(last) or _subjects(every):
        for template in offered["of_subject"]:
            question = template.format(subject=subject)
            if len(found) < offered["most"] and _bare(question) not in asked and set(titles(question)) - shown:
                found.append(question)
    read = any(isinstance(event, DomainEvent) and event.accepted for event in every)
    refused = any(isinstance(event, RefusalEvent) for event in last)
    if read and not refused:
        new = [question for question in offered["of_image"] if _bare(question) not in asked]
        found = [*found[: offered["most"] - len(new)], *new]
    return tuple(found)


def _subjects(events: Sequence[Event]) -> list[str]:
    """What was found or could not be decided, then what sources spoke of; each once."""
    return list(dict.fromkeys([*_found(events), *_read(events)]))[:MOST_SUBJECTS]


def _found(events: Sequence[Event]) -> Iterator[str]:
    for event in events:
        for finding in event.findings if isinstance(event, ToolResultEvent) else ():
            if finding.decision != "absent" and not finding.denies:
                yield label_words(finding.label)


def _read(events: Sequence[Event]) -> Iterator[str]:
    for event in events:
        subject, colon, _ = event.title.partition(":") if isinstance(event, PassageEvent) else ("", "", "")
        if colon:
            # A name in capitals, such as COVID-19, stays as it is.
            yield subject if subject[1:2].isupper() else subject[:1].lower() + subject[1:]


def _bare(question: str) -> str:
    return " ".join(question.casefold().split()).rstrip("?!. ")
