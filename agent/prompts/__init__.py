"""The prompts, which are data: Markdown and YAML files in this folder."""

from functools import lru_cache
from importlib.resources import files

import yaml
from langchain_core.messages import SystemMessage


def system_message() -> SystemMessage:
    """What every language model is told before a question."""
    return SystemMessage(content=_text("system.md"))


def reword_message() -> SystemMessage:
    """What a language model is told before a sentence that it is to say again."""
    return SystemMessage(content=_text("reword.md"))


@lru_cache(maxsize=1)
def check_words() -> dict[str, str]:
    """What was wrong with a sentence, in words, by the name of the check that it failed."""
    return dict(yaml.safe_load(_text("checks.yaml")))


def _text(name: str) -> str:
    return files("agent").joinpath(f"prompts/{name}").read_text("utf-8")
