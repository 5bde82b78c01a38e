"""The command line. One command a module; this module is only the door.

Nothing heavy is imported here: ``overread --help`` must answer at once.
"""

import logging
import os
import signal
import sys
from collections.abc import Sequence

from overread import collector

EXIT_INTERRUPTED = 130
EXIT_OUR_FAULT = 1
EXIT_BAD_ARGUMENTS = 2
EXIT_BROKEN_PIPE = 128 + signal.SIGPIPE


def main(arguments: Sequence[str] | None = None) -> None:
    """The ``overread`` command. Ends the process: 0, 1 a fault of ours, 2 bad input, 130 Ctrl-C."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    # Threads that wait for work sleep instead of spinning: several processes on few cores are many times faster.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    collector.loading()
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        code = EXIT_BROKEN_PIPE
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    collector.ending()
    sys.exit(code)


def _run(arguments: Sequence[str] | None) -> int:
    import typer

    from overread.errors import OverreadError
    from serve.cli.app import app
    from serve.printing import error_line

    try:
        code = app(args=None if arguments is None else list(arguments), prog_name="overread", standalone_mode=False)
    except typer.TyperException as error:
        said = error.format_message() if hasattr(error, "format_message") else str(error)
        error_line(f"{said.rstrip('.')}; see: overread --help")
        return EXIT_BAD_ARGUMENTS
    except OverreadError as error:
        error_line(str(error))
        return EXIT_BAD_ARGUMENTS
    except (BrokenPipeError, KeyboardInterrupt):
        raise
    except Exception as error:
        # A traceback may hold a patient's data, so only the kind of what went wrong is told.
        logging.getLogger(__name__).debug("unforeseen", exc_info=True)
        error_line(f"something went wrong inside Overread ({type(error).__name__}); run overread doctor")
        return EXIT_OUR_FAULT
    return code if isinstance(code, int) else 0
