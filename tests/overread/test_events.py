import pytest
from pydantic import ValidationError

from overread.events import DeltaEvent, DomainEvent, parse_event


def test_an_event_comes_back_as_it_went() -> None:
    event = DomainEvent(id="D1", label="xray/chest", probability=0.9, accepted=True, study_id="s", frame=0)
    assert parse_event(event.model_dump_json()) == event


def test_unknown_types_and_fields_are_refused() -> None:
    with pytest.raises(ValidationError):
        parse_event('{"type":"gossip","run_id":"r","seq":0,"t_ms":1}')
    with pytest.raises(ValidationError):
        parse_event(DeltaEvent(text="x").model_dump_json()[:-1] + ',"extra":1}')
