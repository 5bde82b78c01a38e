"""The whole assistant against the engine that writes for it, alone: the same questions with no tool, no source and no
check of what is said. What remains of the answers is the engine's own; the rest is what the assistant adds.

A language model is asked directly, in a conversation of one message; what it adds to the tools is seen beside the same
assistant without it. The composer knows nothing but evidence, so it is asked through an assistant whose tools are all
taken away.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage

from agent.assistant import Assistant
from agent.engines.pictures import SIDE
from agent.engines.server import served_model, server_model, stream_text
from agent.errors import EngineError
from agent.opening import open_study
from agent.parts import Parts
from evaluation.trust.asking import FEW, QUESTION, SUBJECT, Answer, PartsWithout, asked
from evaluation.trust.bench import Bench
from evaluation.trust.manifest import Row
from evaluation.trust.outcome import Measured, Outcome, drawn_again, share_of
from guardrails.findings import polarity
from guardrails.sentences import split_sentences
from overread.domains import covered
from overread.settings import Settings

READ = "What a model says in its own words is read by rules, which miss some of it."


@dataclass(frozen=True)
class Told:
    """What came of one question: whether there was an answer, and whether what it decides is right."""

    answered: bool
    right: bool | None


async def against_the_engine(
    bench: Bench, settings: Settings, rows: Sequence[Row], answers: Sequence[Answer], outcome: Outcome
) -> list[Measured]:
    """For each question: right answers of the whole less those of its engine; what either says wrongly."""
    others: dict[str, Sequence[Told]] = {}
    if settings.llm_base_url is None:
        others["the composer alone"] = await _asked_all(bench, rows, PartsWithout(settings, bench.cards, *bench.cards))
        outcome.not_done.append(
            "The assistant beside a language model alone, and agreement over that model's seeds: no server is set "
            "(OVERREAD_LLM_BASE_URL), so the built-in composer wrote, which knows nothing but the evidence and draws "
            "nothing."
        )
    else:
        try:
            others["the language model alone"] = await _language_model(bench, settings, rows)
        except EngineError as error:
            outcome.not_done.append(f"The assistant beside its language model alone: {error}.")
            return []
        seen = "with the masked picture" if settings.llm_images else "with no picture, since OVERREAD_LLM_IMAGES is 0"
        outcome.done.append(f"The language model alone was asked {seen}, with no evidence and no instructions.")
        plain = Parts(settings.model_copy(update={"llm_base_url": None}))
        others["the composer with the tools"] = await _asked_all(bench, rows, plain)
    whole = [Told(not one.refused, one.right(row)) for row, one in zip(rows, answers, strict=True)]
    who = [row.patient for row in rows]
    figures = []
    for name, told in others.items():
        gained = np.array([score(one.right) - score(other.right) for one, other in zip(whole, told, strict=True)])
        figures.append(
            drawn_again(f"whole assistant less {name}: right answers", lambda r, x=gained: float(x[r].mean()), who,  # type: ignore[misc]
                        SUBJECT, "higher", f"Right is 1, wrong -1, undecided or refused 0. {READ} {FEW}")
        )  # fmt: skip
    for name, told in {"the whole assistant": whole, **others}.items():
        figures += _shares(name, told)
    return figures


def score(right: bool | None) -> float:
    """1 for right, -1 for wrong, 0 for nothing decided."""
    return 0.0 if right is None else 1.0 if right else -1.0


def _shares(name: str, told: Sequence[Told]) -> list[Measured]:
    share = partial(share_of, n=len(told), subject=SUBJECT)
    return [
        share(f"{name}: not refused", sum(one.answered for one in told), better=None,
              unshown=f"Whether there is anything in the answer. {FEW}"),
        share(f"{name}: decided something, and all of it right", sum(one.right is True for one in told),
              better="higher", unshown=f"{READ} {FEW}"),
        share(f"{name}: decided something wrongly", sum(one.right is False for one in told), better="lower",
              unshown=f"{READ} {FEW}"),
    ]  # fmt: skip


async def _asked_all(bench: Bench, rows: Sequence[Row], parts: Parts) -> list[Told]:
    """What an assistant of these parts says of every row."""
    told = []
    async with Assistant(parts.settings, parts) as assistant:
        for row in rows:
            answer = await asked(assistant, row)
            told.append(Told(not answer.refused, answer.right(row)))
            bench.step("asking with other parts")
    return told


async def _language_model(bench: Bench, settings: Settings, rows: Sequence[Row]) -> list[Told]:
    """What the server's model says of each image by itself. Raises ``EngineError`` when it answers none."""
    model = server_model(settings, await served_model(settings))
    parts = Parts(settings)
    told: list[Told] = []
    failed: EngineError | None = None
    for row in rows:
        try:
            text = await _said(model, settings, parts, row)
        except EngineError as error:
            failed = error
            told.append(Told(False, None))
        else:
            told.append(Told(True, right_in_words(text, labels_for(bench, row), row)))
        bench.step("asking the language model alone")
    if failed is not None and not any(one.answered for one in told):
        raise failed
    return told


async def _said(model: BaseChatModel, settings: Settings, parts: Parts, row: Row) -> str:
    content: list[str | dict[str, object]] = [{"type": "text", "text": QUESTION}]
    if settings.llm_images:
        from tools.observer import data_uri

        study = open_study(row.path, parts)
        content.append({"type": "image_url", "image_url": {"url": data_uri(study.display(study.frame), SIDE)}})
    message = HumanMessage(content=content)
    return "".join([piece async for piece in stream_text(model, [message], settings, {})])


def labels_for(bench: Bench, row: Row) -> list[str]:
    """The labels of the classifiers that look at a row's kind."""
    domain = row.domain or ""
    asked_of = [one for one in bench.subjects if covered(one.card.domains, domain)]
    return list(dict.fromkeys(label for subject in asked_of for label in subject.labels))


def right_in_words(text: str, labels: Sequence[str], row: Row) -> bool | None:
    """Whether what a text decides of known labels is right; ``None`` where it decides nothing of them."""
    known = []
    for sentence in split_sentences(text):
        for label in labels:
            stance, truth = polarity(sentence, label), row.holds(label)
            if stance in ("present", "absent") and truth is not None:
                known.append((stance == "present") == truth)
    return all(known) if known else None
