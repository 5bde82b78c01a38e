"""The prompts, which are data: Markdown and YAML files in this folder."""

from importlib.resources import files

from langchain_core.messages import SystemMessage


def system_message() -> SystemMessage:
    """What every language model is told before a question."""
    return SystemMessage(content=files("agent").joinpath("prompts/system.md").read_text("utf-8"))
