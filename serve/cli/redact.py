"""``overread redact``: files without the identity in them, and a receipt of what was taken out."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from agent.redaction import Receipt
    from guardrails.phi.profile import Retained

EXAMPLES = """
Examples:

  overread redact letter.txt scan.dcm -o clean

  overread redact studies/ -o clean/ --json

  overread redact questions.jsonl -o clean.jsonl

  overread redact studies/ -o clean/ --retain uids,dates,descriptors --key project.key
"""


def redact(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Files or folders: text, JSONL, DICOM, PNG, JPEG.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="A new folder; for one file, a file name.")
    ],
    retain: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT,...",
            help="What DICOM headers keep: uids, dates (moved), descriptors (cleaned), device, institution, patient.",
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", dir_okay=False, help="The same pseudonyms in every call with this key; made when not there."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The receipt as one JSON object.")] = False,
) -> None:
    """Write files without the identity in them. Originals are never changed; new files are numbered."""
    from agent.redaction import Redactor, plan, read_key
    from overread.settings import settings
    from serve.cli.output import own_stdout
    from serve.errors import ArgumentsError

    retained = read_retained(retain or ())
    work = plan(paths, output)
    secret = read_key(key) if key is not None else None
    with own_stdout() as out:
        receipts = sorted(
            _with_progress(Redactor(settings(), retained, secret).run(work), len(work.files)),
            key=lambda receipt: receipt.number,
        )
        failed = [receipt for receipt in receipts if receipt.status == "error"]
        if len(failed) == len(receipts):
            which = "" if len(failed) == 1 else f"none of the {len(failed)} files could be redacted; the first: "
            raise ArgumentsError(f"{which}{failed[0].reason}")
        out.write(_json(receipts) if as_json else _text(receipts))


def read_retained(given: "Iterable[str]") -> "Retained":
    """``("uids,dates",)`` as ``Retained``. Raises ``ArgumentsError`` naming what is allowed."""
    from guardrails.phi.profile import OPTIONS, Retained
    from serve.errors import ArgumentsError

    names = {name.strip().lower() for text in given for name in text.split(",") if name.strip()}
    chosen = frozenset(option for option in OPTIONS if option in names)
    if len(chosen) != len(names):
        raise ArgumentsError(f"--retain takes some of: {', '.join(OPTIONS)}")
    return Retained(options=chosen)


def _with_progress(receipts: "Iterator[Receipt]", total: int) -> "Iterable[Receipt]":
    if total < 2 or not sys.stderr.isatty():
        return receipts
    from rich.console import Console
    from rich.progress import track

    return track(receipts, "Redacting", total, console=Console(stderr=True), transient=True)


def _totals(receipts: "list[Receipt]") -> dict[str, int]:
    return dict(sorted(sum((Counter(receipt.removed) for receipt in receipts), Counter[str]()).items()))


def _json(receipts: "list[Receipt]") -> str:
    whole = {
        "redacted": sum(receipt.status == "ok" for receipt in receipts),
        "failed": sum(receipt.status == "error" for receipt in receipts),
        "removed": _totals(receipts),
        "files": [receipt.model_dump() for receipt in receipts],
    }
    return json.dumps(whole, ensure_ascii=False) + "\n"


def _text(receipts: "list[Receipt]") -> str:
    lines = []
    for receipt in receipts:
        if receipt.status == "error":
            lines.append(f"file {receipt.number}: not redacted: {receipt.reason}")
        else:
            lines.append(f"file {receipt.number}: {receipt.output}: {_counts(receipt.removed)}")
            if receipt.carried:
                lines.append(f"  carried over without a look: {', '.join(receipt.carried)}")
    done = sum(receipt.status == "ok" for receipt in receipts)
    return "\n".join([*lines, f"{done} of {len(receipts)} redacted. Taken out: {_counts(_totals(receipts))}"]) + "\n"


def _counts(removed: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in removed.items()) or "nothing"
