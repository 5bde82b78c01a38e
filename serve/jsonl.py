"""Reads and writes JSONL files: one JSON object a line, in order. A bad line is one error with its number."""

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from serve.errors import ArgumentsError

LONGEST_LINE = 16 * 2**20
"""Most characters of one line."""

T = TypeVar("T")
Row = dict[str, Any]


def read_rows(path: Path, read: Callable[[Row], T]) -> Iterator[T]:
    """What ``read`` makes of every line of a file. Empty lines are passed over.

    ``read`` raises ``ValueError`` with what is wrong with a line; it becomes an ``ArgumentsError`` that
    names the line, counted from 1, and never holds a value of it.
    """
    for number, row in numbered_rows(path):
        try:
            yield read(row)
        except ValueError as error:
            raise bad_line(number, str(error)) from None


def numbered_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Every line's number and object. Raises ``ArgumentsError``."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            number = 0
            while line := file.readline(LONGEST_LINE + 1):
                number += 1
                if len(line) > LONGEST_LINE:
                    raise bad_line(number, f"it is longer than {LONGEST_LINE:,} characters")
                if line.strip():
                    yield number, _parsed(number, line)
    except UnicodeDecodeError:
        raise ArgumentsError("the JSONL file is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise ArgumentsError(f"the JSONL file cannot be read ({type(error).__name__}); check its path") from None


def bad_line(number: int, wrong: str) -> ArgumentsError:
    """The error of a line."""
    return ArgumentsError(f"line {number}: {wrong}")


def text_of(row: Row, field: str) -> str:
    """A field that must be a string. Raises ``ValueError``."""
    value = row.get(field)
    if not isinstance(value, str):
        raise ValueError(f'it needs "{field}", a string')
    return value


def check_output(path: Path, source: Path) -> None:
    """Whether a JSONL file can be written there, before anything is computed. Raises ``ArgumentsError``."""
    if path.is_dir() or not path.parent.is_dir():
        raise ArgumentsError("the output cannot be written: its folder is not there, or it names a folder")
    if path.exists() and path.samefile(source):
        raise ArgumentsError("the output is the input; it would be overwritten, so give another name")
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise ArgumentsError("the output cannot be written: there is no permission to write there")


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Write a line for each row, whole or not at all; give how many. Raises ``ArgumentsError``."""
    part = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, suffix=".jsonl", encoding="utf-8", newline="\n", delete=False
        ) as file:
            part = Path(file.name)
            count = 0
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                count += 1
        part.replace(path)
        return count
    except OSError as error:
        raise ArgumentsError(f"the output cannot be written ({type(error).__name__})") from None
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def _parsed(number: int, line: str) -> Row:
    try:
        row = json.loads(line, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise bad_line(number, "it is not JSON; every line must be one JSON object") from None
    if not isinstance(row, dict):
        raise bad_line(number, "it is JSON but no object; every line must be one JSON object")
    return row


def _no_number(_name: str) -> NoReturn:
    raise ValueError
