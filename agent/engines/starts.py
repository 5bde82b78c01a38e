"""How probable the first token of each sentence was to the language model that wrote it, where its server tells.

It is a signal and no probability of being right: nobody has calibrated it, and no confidence is made from it.
"""

import math
from typing import Any

MOST_TOKENS = 8_192
"""Tokens of one answer that are kept."""


class ClaimStarts:
    """Hears the tokens of one answer with their log-probabilities, and sums up those that begin a sentence."""

    def __init__(self) -> None:
        self._text = ""
        self._at: list[int] = []
        self._logprobs: list[float] = []

    def hear(self, told: Any) -> None:
        """Take what one chunk of a stream says under ``logprobs``. What is no such record is passed over."""
        content = told.get("content") if isinstance(told, dict) else None
        for one in content if isinstance(content, list) else ():
            token = one.get("token") if isinstance(one, dict) else None
            logprob = one.get("logprob") if isinstance(one, dict) else None
            if not isinstance(token, str) or not isinstance(logprob, int | float) or len(self._at) >= MOST_TOKENS:
                continue
            self._at.append(len(self._text))
            self._logprobs.append(float(logprob))
            self._text += token

    def summary(self) -> dict[str, float]:
        """``claim_starts``, how many, and their mean and lowest log-probability (natural); empty when none was told."""
        from guardrails.sentences import split_sentences

        found: list[float] = []
        at = 0
        for sentence in split_sentences(self._text) if self._text.strip() else []:
            begin = at + len(sentence) - len(sentence.lstrip())
            at += len(sentence)
            # The token that holds the first letter: it may begin with the white space before it.
            first = next((n for n, start in enumerate(self._at) if start <= begin < self._end(n)), None)
            if sentence.strip() and first is not None and math.isfinite(self._logprobs[first]):
                found.append(self._logprobs[first])
        if not found:
            return {}
        return {
            "claim_starts": len(found),
            "claim_start_logprob_mean": round(sum(found) / len(found), 4),
            "claim_start_logprob_min": round(min(found), 4),
        }

    def _end(self, n: int) -> int:
        return self._at[n + 1] if n + 1 < len(self._at) else len(self._text)
