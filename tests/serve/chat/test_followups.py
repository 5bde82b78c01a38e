from overread.events import DoneEvent, ErrorEvent, Event
from serve.chat.followups import follow_ups
from serve.chat.session import Turn


def titles(question: str) -> list[str]:
    """What a library of two notes finds."""
    if "pneumonia" not in question:
        return []
    return ["Pneumonia: How it is confirmed" if "confirmed" in question else "Pneumonia: What it is"]


def test_only_what_is_found_and_new_is_offered(answered: list[Event]) -> None:
    turns = [Turn(1, "Is there a pneumonia?", 1, events=answered, state="done")]
    assert follow_ups(turns, titles) == ("How is pneumonia confirmed?", "How sure is that?")
    turns.append(Turn(2, "How is Pneumonia confirmed", 0, events=[DoneEvent(answer="x", audit_id="a")], state="done"))
    assert follow_ups(turns, titles) == ("How sure is that?",)


def test_nothing_is_offered_after_a_refusal_or_a_failure(refused: list[Event]) -> None:
    assert follow_ups([Turn(1, "What?", 1, events=refused, state="done")], titles) == ()
    failed = ErrorEvent(code="internal", message="x")
    assert follow_ups([Turn(1, "What is pneumonia?", 0, events=[failed], state="done")], titles) == ()
