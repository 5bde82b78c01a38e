"""``make demo``: answers about four real images in the terminal, and says what to try next."""

import asyncio
import sys
from typing import TYPE_CHECKING, TextIO

from agent.request import Request
from overread.errors import OverreadError
from overread.events import ErrorEvent
from serve.cli import EXIT_INTERRUPTED
from serve.cli.output import own_stdout
from serve.examples import EXAMPLES, Example
from serve.printing import error_line
from serve.terminal import transcript_for

if TYPE_CHECKING:
    from agent.assistant import Assistant

NEXT = """What to try next:

  overread ask chest.jpg "Is there a pneumonia? How is it confirmed?" --context age_band=child
  overread ask "How is a pneumothorax confirmed?"
  overread ask slice.dcm "What is this?" --json
  make chat            the same in a page, at http://127.0.0.1:8000
  overread doctor      checks this machine

The command lies in .venv/bin: put it on your path with  . .venv/bin/activate
"""


async def run_demo(out: TextIO, examples: tuple[Example, ...] = EXAMPLES) -> int:
    """Ask every example's question of one assistant. Gives the exit code: 1 when one ended in an error."""
    from agent.assistant import Assistant

    faults = 0
    async with Assistant() as assistant:
        for n, example in enumerate(examples, start=1):
            out.write(f"{n} of {len(examples)}. {example.title}\n   {example.question}\n\n")
            out.flush()
            faults += await _answer(assistant, example, out)
            out.write("\n")
    out.write(NEXT)
    return int(faults > 0)


async def _answer(assistant: "Assistant", example: Example, out: TextIO) -> int:
    transcript = transcript_for(out)
    try:
        async for event in assistant.ask(Request(question=example.question, images=(example.path(),))):
            if isinstance(event, ErrorEvent):
                transcript.close()
                error_line(event.message)
                return 1
            transcript.show(event)
    finally:
        transcript.close()
    return 0


def main() -> None:
    """Run the demo and end the process with its exit code."""
    try:
        with own_stdout() as out:
            code = asyncio.run(run_demo(out))
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except OverreadError as error:
        error_line(str(error))
        code = 1
    sys.exit(code)


if __name__ == "__main__":
    main()
