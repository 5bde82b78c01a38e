# mypy: ignore-errors
"""Runs in an environment with guardrails-ai: JSON lines in (tokens, values), JSON lines out (what was shown, and when).

The validator knows every value that may not come out and puts a marker in its place (``on_fail="fix"``), at the
chunks into which guardrails-ai cuts a stream. Nothing is fetched and no telemetry is sent.
"""

import os

os.environ.update(OTEL_SDK_DISABLED="true", LITELLM_LOCAL_MODEL_COST_MAP="True", GUARDRAILS_DISABLE_TELEMETRY="true")

import json
import sys
import time
import warnings

from guardrails_ai.types import FailResult, PassResult

from guardrails import Guard
from guardrails.validator_base import Validator, register_validator

VALUES = []


@register_validator(name="bench/identity", data_type="string")
class Identity(Validator):
    """Masks the values."""

    def validate(self, value, metadata):  # noqa: ARG002
        """Fail with the masked text when one of the values is in it."""
        masked = value
        for one in VALUES:
            masked = masked.replace(one, "[REMOVED]")
        return PassResult() if masked == value else FailResult(error_message="identity", fix_value=masked)


def streamed(tokens):
    """What came out, each with how many tokens had gone in."""
    gone = 0

    def model(*_, **__):
        def source():
            nonlocal gone
            for token in tokens:
                gone += 1
                yield token

        return source()

    guard = Guard().use(Identity(on_fail="fix"))
    answers = guard(model, messages=[{"role": "user", "content": "Go on."}], stream=True)
    return [[gone, one.validated_output] for one in answers if one.validated_output]


def main():
    """Answer each line."""
    out, sys.stdout = sys.stdout, sys.stderr
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        row = json.loads(line)
        VALUES[:] = sorted(row["values"], key=len, reverse=True)
        begun = time.process_time()
        shown = streamed(row["tokens"])
        out.write(json.dumps({"shown": shown, "seconds": time.process_time() - begun}) + "\n")
        out.flush()


main()
