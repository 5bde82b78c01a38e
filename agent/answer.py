"""The answer as it grows: only what the gate released."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, ParamSpec

from agent.events import Emit
from overread.events import ClaimEvent, DeltaEvent, WithheldEvent
from overread.records import Claim, WithheldReason

if TYPE_CHECKING:
    from guardrails.gate import Gate, Released

P = ParamSpec("P")
SayAgain = Callable[[Claim], Awaitable[str | None]]
"""Gives another sentence for a withheld one, or ``None``."""

Lowered = Callable[[Claim], Awaitable[tuple[Claim, WithheldReason | None]]]
"""Gives a shown claim as it stands, or with a lower verdict and why it is withheld after all."""


class Answer:
    """Collects what leaves, and sends ``delta``, ``claim`` and ``withheld`` events as it does.

    ``text`` is the concatenation of every ``delta``. ``claims`` are the sentences that were shown.
    ``judged_ms`` is how long the gate took over it, and ``judging_ns`` when it began, in nanoseconds since 1970.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self.text = ""
        self.claims: list[Claim] = []
        self.judged_ms = 0.0
        self.judging_ns: int | None = None

    def say(self, text: str) -> None:
        """Show a text that the gate has scrubbed already, as a paragraph of its own."""
        self.paragraph()
        self._show(text)

    def paragraph(self) -> None:
        """End the paragraph, if one has begun."""
        if self.text and not self.text.endswith("\n\n"):
            self._show("\n\n")

    async def write(
        self,
        gate: "Gate",
        pieces: AsyncIterator[str],
        again: SayAgain | None = None,
        lowered: Lowered | None = None,
    ) -> int:
        """Show what the gate lets through of an engine's text. Returns how many supported claims came.

        ``again`` gives another sentence for one that was withheld as unsupported, or ``None``. It takes the
        place of the withheld one if the gate finds it supported; what comes behind waits for it. ``lowered`` judges
        what the gate let through once more, and may withhold it; it never lets through what the gate withheld.
        """
        before = self._supported()
        async for piece in pieces:
            await self._release(gate, self._timed(gate.feed, piece), again, lowered)
        await self._release(gate, self._timed(gate.finish), again, lowered)
        return self._supported() - before

    def _timed(self, judge: "Callable[P, list[Released]]", *args: P.args, **more: P.kwargs) -> "list[Released]":
        begun = time.monotonic()
        self.judging_ns = self.judging_ns or time.time_ns()
        try:
            return judge(*args, **more)
        finally:
            self.judged_ms += (time.monotonic() - begun) * 1000

    def _supported(self) -> int:
        return sum(claim.verdict == "supported" for claim in self.claims)

    async def _release(
        self, gate: "Gate", released: "Iterable[Released]", again: SayAgain | None, lowered: Lowered | None
    ) -> None:
        for unit in released:
            self._tell(await _judged(unit, lowered))
            if again is not None and unit.withheld == "unsupported" and unit.claim is not None:
                said = await again(unit.claim)
                for other in gate.apart(said) if said else ():
                    self._tell(await _judged(other, lowered), supported_only=True)

    def _tell(self, unit: "Released", supported_only: bool = False) -> None:
        """Show one sentence, or say that it was withheld."""
        if supported_only and unit.withheld is None and (unit.claim is None or unit.claim.verdict != "supported"):
            return
        if unit.text:
            apart = self.text and not self.text[-1].isspace() and not unit.text[0].isspace()
            self._show(f" {unit.text}" if apart else unit.text if self.text else unit.text.lstrip())
        if unit.claim is not None:
            self._emit(ClaimEvent.model_validate(unit.claim.model_dump()))
            if unit.withheld is None:
                self.claims.append(unit.claim)
        # A sentence that is shown with a marker in it had something withheld too.
        reason: WithheldReason | None = unit.withheld or ("phi" if unit.redacted else None)
        if reason is not None:
            claim_id = unit.claim.claim_id if unit.claim else None
            self._emit(WithheldEvent(stage="output", reason=reason, claim_id=claim_id))

    def _show(self, text: str) -> None:
        self.text += text
        self._emit(DeltaEvent(text=text))


async def _judged(unit: "Released", lowered: Lowered | None) -> "Released":
    """A sentence after a second judge saw it; one that the gate withheld stays withheld."""
    if lowered is None or unit.withheld is not None or unit.claim is None:
        return unit
    claim, withheld = await lowered(unit.claim)
    return replace(unit, text=unit.text if withheld is None else "", claim=claim, withheld=withheld)
