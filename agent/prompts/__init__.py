"""The prompts, which are data: Markdown and YAML files in this folder."""

from importlib.resources import files

from langchain_core.messages import SystemMessage

from agent.engines.ladder import ladder, say


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


def _text(name: str) -> str:
    return files("agent").joinpath("prompts", name).read_text("utf-8")
