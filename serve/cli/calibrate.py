"""``overread calibrate``: when may an answer be given? A threshold with a stated error bound, per group."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from guardrails.certificate import Certificate, Outcomes
    from overread.records import ModelRef
    from serve.jsonl import Row

EXAMPLES = """
Examples:

  overread calibrate scores.jsonl --alpha 0.1 --delta 0.1

  overread calibrate scores.jsonl --alpha 0.05 --delta 0.1 --group task --json

  overread calibrate scores.jsonl --alpha 0.1 --delta 0.1 -o certificate.json --model chest-findings-child

A line of the file: {"score": 0.93, "correct": true, "task": "chest"}
"""


def calibrate(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.jsonl", exists=True, dir_okay=False, help="Lines with score and correct.")
    ],
    alpha: Annotated[float, typer.Option(metavar="A", help="The error rate among answers that may be borne.")],
    delta: Annotated[float, typer.Option(metavar="D", help="The chance that the bound does not hold.")],
    group: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column that names each line's group; else one group.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT.json", help="Keep the certificates in this file.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A model the scores come from; its checksum is kept. Else all models."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array with an object a group.")] = False,
) -> None:
    """Certify when to answer: P(error among the answered <= A) >= 1 - D, for each group by itself."""
    from guardrails.certificate import certify_groups, smallest_certifiable, store
    from serve.cli.output import own_stdout
    from serve.jsonl import check_output

    least = smallest_certifiable(alpha, delta)
    if output is not None:
        check_output(output, file)
    models = _models(model)
    groups = read_outcomes(file, group)
    certificates = certify_groups(groups, alpha, delta)
    if output is not None:
        store(groups, certificates, _sha256(file), models).save(output)
    with own_stdout() as out:
        if as_json:
            out.write(json.dumps([one.model_dump() for one in certificates], ensure_ascii=False) + "\n")
        else:
            out.write(f"A group needs at least {least} answers, all right, before anything can be certified.\n")
            out.write(_table(certificates))


def read_outcomes(file: Path, column: str | None) -> "dict[str, Outcomes]":
    """The lines of a file by group, in the order the groups first come. Raises ``ArgumentsError``."""
    import numpy as np

    from guardrails.certificate import Outcomes
    from serve.errors import ArgumentsError
    from serve.jsonl import read_rows

    rows: dict[str, list[tuple[float, bool]]] = {}
    for name, score, correct in read_rows(file, lambda row: _outcome(row, column)):
        rows.setdefault(name, []).append((score, correct))
    if not rows:
        raise ArgumentsError("the file holds no lines; give one JSON object a line, with score and correct")
    return {
        name: Outcomes(np.array([score for score, _ in found]), np.array([right for _, right in found]))
        for name, found in rows.items()
    }


def _outcome(row: "Row", column: str | None) -> tuple[str, float, bool]:
    score, correct = row.get("score"), row.get("correct")
    if isinstance(score, bool) or not isinstance(score, int | float) or not -1e300 < score < 1e300:
        raise ValueError('it needs "score", a finite number')
    if not isinstance(correct, bool):
        raise ValueError('it needs "correct", true or false')
    if column is None:
        return "all", float(score), correct
    name = row.get(column)
    if not isinstance(name, str | int | float) or name == "":
        raise ValueError("it has no value in the column that --group names")
    return (name if isinstance(name, str) else json.dumps(name)), float(score), correct


def _models(names: list[str] | None) -> "list[ModelRef]":
    from overread.cards import find_cards
    from serve.errors import ArgumentsError

    cards = find_cards()
    unknown = [name for name in names or () if name not in cards]
    if unknown:
        raise ArgumentsError(f"--model names no model that is here; there are: {', '.join(cards)}")
    return [file.card.ref for name, file in cards.items() if not names or name in names]


def _sha256(file: Path) -> str:
    import hashlib

    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _table(certificates: "tuple[Certificate, ...]") -> str:
    from serve.printing import printable

    names = [" ".join(printable(one.group).split()) for one in certificates]
    width = max(12, *(len(name) for name in names)) + 2
    lines = [f"{'group':<{width}}{'answer from':>12}{'answered':>10}{'of':>8}  why not"]
    for name, one in zip(names, certificates, strict=True):
        threshold = "never" if one.threshold is None else f"{one.threshold:.6g}"
        lines.append(f"{name:<{width}}{threshold:>12}{one.answered:>10}{one.n:>8}  {one.reason or ''}".rstrip())
    return "\n".join(lines) + "\n"
