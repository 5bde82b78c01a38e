"""The prompts, which are data: Markdown and YAML files in this folder."""

from functools import lru_cache

from langchain_core.messages import SystemMessage

from agent.engines.ladder import ladder, say
from overread.packaged import packaged_text, packaged_yaml


def system_message(report: bool = False) -> SystemMessage:
    """What every language model is told before a question; of a ``report``, also its sections and its words."""
    text = _text("system.md")
    if report:
        text += _text("report.md").format(ladder=_ladder(), notice=say("draft"))
    return SystemMessage(content=text)


def _ladder() -> str:
    """The ladder in words: what a decision and a probability are called."""
    parts = []
    for decision, rungs in ladder().items():
        low = 0.0
        for rung in rungs:
            words = {"no signs": "`no signs of` it"}.get(rung.sum, f"`{rung.sum}`")
            upper = f"below {rung.below:.0%}" if rung.below <= 1 else f"from {low:.0%}"
            parts.append(f"{decision}, {upper}: {words}")
            low = rung.below
    return "Words by decision and probability: " + "; ".join(parts) + "."


def consult_message() -> SystemMessage:
    """What a language model is told before it is asked whether it wants more tools."""
    return SystemMessage(content=_text("consult.md"))


def judge_message() -> SystemMessage:
    """What a language model is told before a claim that it is to judge."""
    return SystemMessage(content=_text("judge.md"))


def reword_message() -> SystemMessage:
    """What a language model is told before a sentence that it is to say again."""
    return SystemMessage(content=_text("reword.md"))


@lru_cache(maxsize=1)
def check_words() -> dict[str, str]:
    """What was wrong with a sentence, in words, by the name of the check that it failed."""
    return dict(packaged_yaml("agent", "prompts/checks.yaml"))


def _text(name: str) -> str:
    return packaged_text("agent", f"prompts/{name}")
