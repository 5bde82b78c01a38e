# mypy: ignore-errors
"""Runs in an environment with nemoguardrails: JSON lines in (tokens, values) and out (what was shown, and when).

The output rail knows every value that may not come out and blocks on it. The argument is NeMo's ``stream_first``;
chunk and context size are its defaults.
"""

import asyncio
import json
import sys
import time

from nemoguardrails import LLMRails, RailsConfig
from nemoguardrails.actions import action
from nemoguardrails.actions.rail_outcome import RailOutcome

CONFIG = (
    "models: []\nrails:\n  output:\n    flows: [check identity]\n    streaming: {enabled: true, stream_first: %s}\n"
)
FLOWS = """
define subflow check identity
  $response = execute find_identity(text=$bot_message)
  if $response.is_blocked
    bot refuse
    stop

define bot refuse
  "Stopped."
"""
VALUES = []


@action(name="find_identity", is_system_action=True)
async def find_identity(text="", **_):
    """Block a text that holds one of the values."""
    return RailOutcome.block(metadata={}) if any(one in text for one in VALUES) else RailOutcome.allow(metadata={})


async def streamed(rails, tokens):
    """What came out, each with how many tokens had gone in."""
    gone = 0

    async def source():
        nonlocal gone
        for token in tokens:
            gone += 1
            yield token

    shown = []
    async for chunk in rails.stream_async(messages=[{"role": "user", "content": "Go on."}], generator=source()):
        if chunk.startswith('{"error"'):
            break
        shown.append([gone, chunk])
    return shown


def main():
    """Answer each line."""
    out, sys.stdout = sys.stdout, sys.stderr
    config = RailsConfig.from_content(colang_content=FLOWS, yaml_content=CONFIG % sys.argv[1])
    rails = LLMRails(config)
    rails.register_action(find_identity, "find_identity")
    for line in sys.stdin:
        row = json.loads(line)
        VALUES[:] = row["values"]
        begun = time.process_time()
        shown = asyncio.run(streamed(rails, row["tokens"]))
        out.write(json.dumps({"shown": shown, "seconds": time.process_time() - begun}) + "\n")
        out.flush()


main()
