"""What each tool adds to the answers: the same questions with it and without it, each in a run of its own."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from agent.assistant import Assistant
from evaluation.trust.asking import FEW, SUBJECT, Answer, PartsWithout, asked
from evaluation.trust.backbone import score
from evaluation.trust.bench import Bench
from evaluation.trust.manifest import Row
from evaluation.trust.outcome import Measured, Outcome, drawn_again, share_of
from overread.settings import Settings
from tools.registry import ToolRegistry

MOST = 8
"""Most questions a tool is taken away from."""


async def gains(bench: Bench, settings: Settings, rows: Sequence[Row], answers: Sequence[Answer]) -> list[Measured]:
    """For each tool that ran: how often an answer is right with it less without it, and refusals likewise."""
    figures = []
    for tool in ToolRegistry(bench.cards).all()[: 2 if bench.quick else None]:
        pairs = [(row, one) for row, one in zip(rows, answers, strict=True) if tool.name in one.tools]
        pairs = pairs[: 1 if bench.quick else MOST]
        if not pairs:
            continue
        others = []
        async with Assistant(settings, PartsWithout(settings, bench.cards, tool.name)) as assistant:
            for row, _ in pairs:
                others.append(await asked(assistant, row))
                bench.step(f"without {tool.name}")
        both = [(row, one, other) for (row, one), other in zip(pairs, others, strict=True)]
        right = np.array([score(one.right(row)) - score(other.right(row)) for row, one, other in both])
        refused = np.array([float(other.refused) - one.refused for _, one, other in both])
        words = sum(other.text != one.text for _, one, other in both)
        who = [row.patient for row, _ in pairs]
        gained = drawn_again(
            f"gain of {tool.name}: right answers, with it less without", lambda r, x=right: float(x[r].mean()),  # type: ignore[misc]
            who, SUBJECT, "higher",
            "Right is 1, wrong -1, undecided or refused 0. A measurement, an outline or a similar case is never right "
            f"or wrong here, so it cannot gain. {FEW}",
        )  # fmt: skip
        figures += [
            replace(gained, note="; ".join(filter(None, (_verdict(gained), gained.note)))),
            drawn_again(f"gain of {tool.name}: refusals that it spares",
                        lambda r, x=refused: float(x[r].mean()), who, SUBJECT, None,  # type: ignore[misc]
                        f"An answer in place of a refusal may be wrong. {FEW}"),
            share_of(f"answers that read otherwise without {tool.name}", words, len(pairs), SUBJECT, None,
                     "A reader may or may not need what it adds."),
        ]  # fmt: skip
    return figures


def _verdict(gained: Measured) -> str:
    """What a gain comes to in words; within chance where its interval holds 0."""
    if not gained.value:
        return "no gain in these answers"
    if gained.interval is not None and gained.interval[0] <= 0 <= gained.interval[1]:
        return "may be chance"
    return "it helps" if gained.value > 0 else "it harms"


async def taken_away(
    bench: Bench, settings: Settings, rows: Sequence[Row], answers: Sequence[Answer], outcome: Outcome
) -> list[Measured]:
    """Take away the tool whose evidence an answer cites, and ask again: nothing of it may be said any more."""
    classifiers = {subject.card.name for subject in bench.subjects}
    cited = [(row, one, sorted(one.cited_tools & classifiers)) for row, one in zip(rows, answers, strict=True)]
    cited = [one for one in cited if one[2]][: 1 if bench.quick else 6]
    left = same = 0
    for row, answer, names in cited:
        told = {finding.label for event in answer.results if event.tool == names[0] for finding in event.findings}
        async with Assistant(settings, PartsWithout(settings, bench.cards, names[0])) as assistant:
            other = await asked(assistant, row)
        left += bool({label for label, _ in other.said} & told)
        same += other.text == answer.text
        bench.step("evidence taken away")
    if not cited:
        outcome.not_done.append("Evidence taken away: no answer cited a classifier's finding.")
    return [
        share_of("evidence taken away: the finding is still told", left, len(cited), SUBJECT, "lower",
                 f"Another tool may find the same by itself. {FEW}"),
        share_of("evidence taken away: the answer is word for word the same", same, len(cited), SUBJECT, "lower",
                 f"How far it changed. {FEW}"),
    ]  # fmt: skip
