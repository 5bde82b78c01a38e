"""The whole assistant: does it answer what it must and refuse what it must, alike when asked again and in other words,
with the right tools, and only from evidence that it has?
"""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from agent.assistant import Assistant
from agent.parts import Parts
from evaluation.trust.asking import FEW, QUESTION, SUBJECT, Answer, asked, must_answer
from evaluation.trust.backbone import against_the_engine
from evaluation.trust.bench import Bench
from evaluation.trust.chips import chips
from evaluation.trust.gain import gains, taken_away
from evaluation.trust.manifest import Row, drawn
from evaluation.trust.outcome import Measured, Outcome, share_of
from overread.events import DomainEvent, EngineEvent
from overread.settings import Settings
from tools.registry import ToolRegistry

REWORDED = ("What can be seen in this picture?", "Please describe the findings.", "Is there anything abnormal here?")
SEEDS = (1, 2)


def agent(bench: Bench) -> Outcome:
    """Everything that asks the whole assistant."""
    with tempfile.TemporaryDirectory() as folder:
        own = bench.settings.model_copy(update={"state": Path(folder)})
        return asyncio.run(_all(bench, own))


async def _all(bench: Bench, settings: Settings) -> Outcome:
    outcome = Outcome(done=[f"Asked of every image, each in a run of its own that remembers nothing: {QUESTION}"])
    rows = must_answer(bench)[: bench.sizes.asked]
    others = drawn(bench.manifest.of_domain(None), max(bench.sizes.asked // 2, 1), bench.seed)
    fresh = 1 if bench.quick else 4
    async with Assistant(settings, Parts(settings)) as assistant:
        answers = []
        for row in rows:
            answers.append(await asked(assistant, row))
            bench.step("asking")
        refusals = []
        for row in others:
            refusals.append(await asked(assistant, row))
            bench.step("asking what must be refused")
        again = []
        for row in rows[:fresh]:
            words = REWORDED[: 1 if bench.quick else len(REWORDED)]
            again.append([await asked(assistant, row, question) for question in words])
            bench.step("asking in other words")
        outcome.figures += await chips(bench, assistant, outcome)
    engines = {event.name for answer in answers for event in answer.events if isinstance(event, EngineEvent)}
    outcome.done.append(f"The engine that wrote: {', '.join(sorted(engines)) or 'none'}.")
    outcome.figures += _answered(rows, answers, refusals)
    outcome.figures += _agreement(answers, again)
    outcome.figures += await _seeds(bench, settings, rows[:fresh], answers[:fresh])
    outcome.figures += _process(bench, rows, answers)
    outcome.figures += await gains(bench, settings, rows, answers)
    outcome.figures += await taken_away(bench, settings, rows, answers, outcome)
    outcome.figures += await against_the_engine(bench, settings, rows, answers, outcome)
    return outcome


def _answered(rows: Sequence[Row], answers: Sequence[Answer], refusals: Sequence[Answer]) -> list[Measured]:
    """What is answered and refused, why, and whether what is answered is right."""
    judged = [one.right(row) for row, one in zip(rows, answers, strict=True)]
    decided = [one for one in judged if one is not None]
    turned = [one for one in answers if one.refused]
    undecided = sum(one.undecided for one in turned)
    reasons = sorted({refusal.reason for one in turned for refusal in one.refusals})
    return [
        share_of("must answer: not refused", sum(not one.refused for one in answers), len(answers), SUBJECT, "higher",
                 f"Whether the answer is right. {FEW}", f"refused for: {', '.join(reasons)}" if reasons else ""),
        share_of("must answer: refused since no tool could decide", undecided, len(turned), SUBJECT, None,
                 "Refusing is what the rules ask for then; a tool that decided more would leave fewer."),
        share_of("must answer: a finding or measurement is cited", sum(bool(one.cited_tools) for one in answers),
                 len(answers), SUBJECT, "higher", f"Whether the finding is right. {FEW}"),
        share_of("answers that decide something: all of it right", sum(decided), len(decided), SUBJECT, "higher",
                 f"Labels that the manifest does not know are left out. {FEW}"),
        share_of("must refuse: refused", sum(one.refused for one in refusals), len(refusals), SUBJECT, "higher",
                 f"Other pictures than the manifest's. {FEW}"),
        share_of("runs that ended well", sum(one.ended_well for one in (*answers, *refusals)),
                 len(answers) + len(refusals), SUBJECT, "higher", FEW),
    ]  # fmt: skip


def _agreement(answers: Sequence[Answer], again: Sequence[Sequence[Answer]]) -> list[Measured]:
    pairs = [(first, other) for first, others in zip(answers, again, strict=False) for other in others]
    same = sum(first.refused == other.refused and first.said == other.said for first, other in pairs)
    shared = sum(bool(first.said & other.said) or not (first.said or other.said) for first, other in pairs)
    unshown = "The findings do not depend on the question; what is told of them may, and sometimes should."
    return [
        share_of("other words, the same findings told", same, len(pairs), SUBJECT, None, unshown),
        share_of("other words, some finding in common", shared, len(pairs), SUBJECT, "higher", unshown),
    ]


async def _seeds(bench: Bench, settings: Settings, rows: Sequence[Row], answers: Sequence[Answer]) -> list[Measured]:
    """The same question to assistants made anew, with other seeds for a language model that takes them."""
    same = alike = n = 0
    for seed in SEEDS[: 1 if bench.quick else None]:
        own = settings.model_copy(update={"llm_seed": seed})
        async with Assistant(own, Parts(own)) as assistant:
            for row, first in zip(rows, answers, strict=True):
                other = await asked(assistant, row)
                n, same, alike = n + 1, same + (other.text == first.text), alike + (other.said == first.said)
                bench.step("asking again")
    unshown = "The composer draws nothing, so it must agree; with a language model this tells something."
    return [
        share_of("asked again of an assistant made anew: word for word the same", same, n, SUBJECT, None, unshown),
        share_of("asked again of an assistant made anew: the same findings told", alike, n, SUBJECT, "higher", unshown),
    ]


def _process(bench: Bench, rows: Sequence[Row], answers: Sequence[Answer]) -> list[Measured]:
    """Against the true kind of image: tools that should have run and did not, and the other way round."""
    registry = ToolRegistry(bench.cards)
    known = {tool.name for tool in registry.all()}
    missed = wrong = should = ran = early = 0
    cited: dict[str, int] = {}
    for row, answer in zip(rows, answers, strict=True):
        wanted = {tool.name for tool in registry.tools_for(row.domain or "")}
        started = answer.tools & known
        missed, should = missed + len(wanted - started), should + len(wanted)
        wrong, ran = wrong + len(started - wanted), ran + len(started)
        early += len(started - {event.tool for event in answer.results if event.status == "ok"})
        for name in started:
            cited[name] = cited.get(name, 0) + (name in answer.cited_tools)
    named = sum(isinstance(event, DomainEvent) for answer in answers for event in answer.events)
    figures = [
        share_of("tools missed", missed, should, SUBJECT, "lower", f"{named} images; the domain decides. {FEW}"),
        share_of("tools that are for another kind", wrong, ran, SUBJECT, "lower", FEW),
        share_of("tools that were started and did not come to a result", early, ran, SUBJECT, "lower",
                 f"A result may still be that nothing can be said. {FEW}"),
    ]  # fmt: skip
    return figures + [
        share_of(f"answers that cite {name}", hits, sum(name in answer.tools for answer in answers), SUBJECT, None,
                 "Being cited is not being useful; a tool that is never cited told nothing in these answers.")
        for name, hits in sorted(cited.items())
    ]  # fmt: skip
