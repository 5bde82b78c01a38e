"""Of a volume, tools for single images see some slices, and each finding says which."""

from pathlib import Path

from agent.assistant import Assistant
from agent.engines.composer import compose
from agent.evidence import Evidence, ledger_of
from agent.parts import Parts
from agent.request import Request
from agent.state import SeenFinding, SeenImage, SeenMeasurement, least_certain
from guardrails.gate import Gate
from guardrails.phi.identity import Identity
from overread.events import DomainEvent, DoneEvent, Event, ToolResultEvent
from overread.records import Context, Finding, Measurement
from overread.settings import Settings

VOLUME = SeenImage(
    id="D1",
    study_id="s",
    frame=20,
    modality="MR",
    domain="mr/brain",
    probability=0.95,
    context=Context(),
    slices=(4, 12, 28),
)


def seen(number: int, frame: int, probability: float, decision: str, label: str = "glioma") -> SeenFinding:
    interval = (max(0.0, probability - 0.02), min(1.0, probability + 0.02))
    made = Finding(id=f"F{number}", label=label, probability=probability, decision=decision, interval=interval)  # type: ignore[arg-type]
    return SeenFinding(image="D1", tool="t", title="The brain MR model", frame=frame, finding=made)


FINDINGS = (
    seen(1, 20, 0.93, "present"), seen(2, 4, 0.02, "absent"), seen(3, 12, 0.5, "indeterminate"),
    seen(4, 28, 0.047, "absent"),
    seen(5, 20, 0.03, "absent", "meningioma"), seen(6, 4, 0.01, "absent", "meningioma"),
    seen(7, 12, 0.01, "absent", "meningioma"), seen(8, 28, 0.01, "absent", "meningioma"),
)  # fmt: skip


def test_each_finding_names_its_slice() -> None:
    made = Measurement(id="M1", name="area", value=12.3, unit="mm²", method="mask")
    evidence = Evidence(
        about_image=True, knowledge=False, images=(VOLUME,), findings=FINDINGS,
        measurements=(SeenMeasurement(image="D1", measurement=made, frame=12),),
    )  # fmt: skip
    text = "".join(compose(evidence))
    assert "finds signs of glioma in slice 20, with a probability of 93 %" in text
    assert "cannot decide about glioma in slice 12" in text
    assert "no signs of glioma in two of the four slices it looked at: the probability is at most 5 % [F2, F4]" in text
    assert "no signs of meningioma in any of the four slices it looked at: the probability is at most 3 %" in text
    assert "The area in slice 12 is 12.3 mm²" in text
    assert "four evenly spaced slices of it, and nothing between them [D1]" in text
    assert [unit.claim for unit in Gate(Identity(), ledger_of(evidence)).offline(text) if unit.withheld] == []


def test_slices_count_once_in_how_sure_the_answer_is() -> None:
    assert [finding.id for finding in least_certain(FINDINGS)] == ["F1", "F5"]


async def ask(path: Path, settings: Settings, frame: int | None = None) -> list[Event]:
    child = Context(age_band="child")
    async with Assistant(settings, Parts(settings)) as assistant:
        return [e async for e in assistant.ask(Request("Is there a pneumonia?", (path,), context=child, frame=frame))]


async def test_tools_see_evenly_spaced_slices(stack: Path, own_settings: Settings) -> None:
    events = await ask(stack, own_settings)
    assert [event.frame for event in events if isinstance(event, DomainEvent)] == [6]
    results = [event for event in events if isinstance(event, ToolResultEvent)]
    # Of the frames 1, 3, 6, 8 and 10, nothing is to be seen in 3.
    assert [e.frame for e in results if e.tool == "chest-findings-child"] == [6, 1, 8, 10]
    assert [e.frame for e in results if e.tool == "similar-cases"] == [6]
    assert isinstance(events[-1], DoneEvent)
    assert "in slice" in events[-1].answer or "slices it looked at" in events[-1].answer


async def test_one_frame_when_one_is_asked_for(stack: Path, own_settings: Settings) -> None:
    events = await ask(stack, own_settings, frame=2)
    assert {e.frame for e in events if isinstance(e, DomainEvent | ToolResultEvent)} == {2}
    assert isinstance(events[-1], DoneEvent)
    assert "slice" not in events[-1].answer
