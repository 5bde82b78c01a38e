"""The data files that lie beside the code: lists, phrases, rules, prompts."""

from importlib.resources import files
from typing import Any

import yaml

_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's is ten times as fast, but for our own files alone: a deeply nested text ends the process."""


def packaged_text(package: str, name: str) -> str:
    """The UTF-8 text of a file that lies in a package's folder, or in a folder below it."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def packaged_yaml(package: str, name: str) -> Any:
    """What such a file says in YAML. Never for a file that somebody else wrote; ``yaml.safe_load`` reads those."""
    return yaml.load(packaged_text(package, name), Loader=_LOADER)  # noqa: S506 - a safe loader
