"""The answer as it grows: only what the gate released."""

from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING

from agent.events import Emit
from overread.events import ClaimEvent, DeltaEvent, WithheldEvent
from overread.records import Claim, WithheldReason

if TYPE_CHECKING:
    from guardrails.gate import Gate, Released


class Answer:
    """Collects what leaves, and sends ``delta``, ``claim`` and ``withheld`` events as it does.

    ``text`` is the concatenation of every ``delta``. ``claims`` are the sentences that were shown.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self.text = ""
        self.claims: list[Claim] = []

    def say(self, text: str) -> None:
        """Show a text that the gate has scrubbed already, as a paragraph of its own."""
        self.paragraph()
        self._show(text)

    def paragraph(self) -> None:
        """End the paragraph, if one has begun."""
        if self.text and not self.text.endswith("\n\n"):
            self._show("\n\n")

    async def write(self, gate: "Gate", pieces: AsyncIterator[str]) -> int:
        """Show what the gate lets through of an engine's text. Returns how many supported claims came."""
        before = self._supported()
        async for piece in pieces:
            self._release(gate.feed(piece))
        self._release(gate.finish())
        return self._supported() - before

    def _supported(self) -> int:
        return sum(claim.verdict == "supported" for claim in self.claims)

    def _release(self, released: "Iterable[Released]") -> None:
        for unit in released:
            if unit.text:
                self._show(unit.text)
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
