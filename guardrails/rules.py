"""Rule files of the claim checks, read once and compiled once."""

import re
from functools import lru_cache
from typing import Any

from guardrails.errors import RuleFileError
from overread.packaged import packaged_yaml


@lru_cache(maxsize=1)
def claim_rules() -> dict[str, Any]:
    """``data/claims.yaml`` as it is."""
    return dict(packaged_yaml("guardrails", "data/claims.yaml"))


@lru_cache(maxsize=128)
def rule(name: str) -> re.Pattern[str]:
    """An entry of ``data/claims.yaml`` that is one expression. Case does not matter."""
    return _compiled(name, claim_rules()[name])


@lru_cache(maxsize=8)
def rule_list(name: str) -> tuple[re.Pattern[str], ...]:
    """An entry that is a list of expressions, with ``{tail}`` filled in. Case does not matter."""
    tail = claim_rules()["tail"]
    return tuple(_compiled(name, text.replace("{tail}", tail)) for text in claim_rules()[name])


def _compiled(name: str, text: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise RuleFileError(f"claims.yaml: {name} holds an expression that is wrong: {error}") from None
