"""How many planted errors the claim checks catch, and how many true sentences they withhold.

Run ``python -m evaluation.planted_errors``. The sentences are made from templates and made-up evidence
(``evaluation/data/planted``); each false one holds one error of a named kind. Two halves share no template: the
checks were developed on one, the other is only reported. Rows of one template are alike, so the number of
templates is printed beside the number of rows; intervals are Wilson's over rows.
"""

import argparse
import json
import math
import random
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

from evaluation.planted_scenes import Scene, fill, make_scene, slots_of
from guardrails.claims import check_claim
from guardrails.ledger import Ledger
from overread.packaged import packaged_yaml
from overread.records import Claim

Half = Literal["developing", "reporting"]
HALVES: tuple[Half, ...] = ("developing", "reporting")
FILES: dict[Half, tuple[str, ...]] = {
    half: tuple(
        sorted(
            file.name.removesuffix(".yaml")
            for file in files("evaluation").joinpath("data/planted").iterdir()
            if file.name.startswith(half)
        )
    )
    for half in HALVES
}
"""The files of ``evaluation/data/planted`` that each half is made of."""
PER_KIND = 60
"""False sentences of each kind in a half, where the templates give as many different ones."""
TRUE_ROWS = 720
PRIOR_GIVEN = "{prior}"


@dataclass(frozen=True)
class Row:
    """A sentence with its evidence. ``kind`` names the error in it, or is ``None`` when it is true."""

    text: str
    ledger: Ledger
    kind: str | None
    template: str

    def judged(self) -> Claim:
        """What the claim checks say."""
        return check_claim("claim-1", self.text, self.ledger)


def rows_of(half: Half, seed: int = 20240) -> Iterator[Row]:
    """The rows of a half, the same for the same seed."""
    for name in FILES[half]:
        yield from rows_in(name, seed)


def rows_in(name: str, seed: int = 20240) -> Iterator[Row]:
    """The rows of one of the ``FILES``."""
    data = packaged_yaml("evaluation", f"data/planted/{name}.yaml")
    rng = random.Random(f"{name} {seed}")  # noqa: S311
    false, true = _pools(data)
    for kind, pool in false.items():
        yield from _drawn(data, kind, pool, PER_KIND, rng)
    yield from _drawn(data, None, true, TRUE_ROWS, rng)


Template = tuple[str, str | None]
"""A template, and the passage it speaks of where it speaks of one."""


def _pools(data: dict[str, Any]) -> tuple[dict[str, list[Template]], list[Template]]:
    false: dict[str, list[Template]] = {
        kind: [(text, None) for text in templates] for kind, templates in data["wrong"].items()
    }
    true: list[Template] = [(text, None) for text in data["right"]]
    for passage in data["passages"]:
        true += [(text, passage["text"]) for text in passage["right"]]
        for kind, templates in passage.get("wrong", {}).items():
            false.setdefault(kind, [])
            false[kind] += [(text, passage["text"]) for text in templates]
    return false, true


def _drawn(
    data: dict[str, Any], kind: str | None, pool: list[Template], most: int, rng: random.Random
) -> Iterator[Row]:
    """Rows of every template in turn, no sentence twice, until there are enough or no new ones come."""
    seen: set[str] = set()
    for n in range(most * 6):
        template, passage = pool[n % len(pool)]
        scene, slots = _scene(data, template, passage, rng)
        if slots <= scene.words.keys():
            text = fill(template.removeprefix(PRIOR_GIVEN), scene.words)
            bare = text if passage is None else template
            if bare not in seen:
                seen.add(bare)
                yield Row(text, scene.ledger, kind, template)
        if len(seen) == most:
            return


def _scene(data: dict[str, Any], template: str, passage: str | None, rng: random.Random) -> tuple[Scene, set[str]]:
    slots = slots_of(template) - {"prior"}
    other = rng.choice(data["passages"])["text"]
    prior = template.startswith(PRIOR_GIVEN)
    return make_scene(rng.choice(data["scenes"]), slots, passage or other, prior, rng), slots


def wilson(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    if not n:
        return 0.0, 1.0
    share, square = hits / n, z * z / n
    middle = (share + square / 2) / (1 + square)
    reach = z * math.sqrt(share * (1 - share) / n + square / (4 * n)) / (1 + square)
    return max(middle - reach, 0.0), min(middle + reach, 1.0)


def stopped(claim: Claim) -> bool:
    """Whether the gate withholds the sentence."""
    return claim.verdict in ("contradicted", "unsupported")


def figures(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The share that is stopped for each kind of error, for all errors, and for true sentences."""
    groups: dict[str, list[tuple[bool, str]]] = defaultdict(list)
    for row in rows:
        result = (stopped(row.judged()), row.template)
        groups[row.kind or "true sentences withheld"].append(result)
        if row.kind:
            groups["all errors"].append(result)
    return [_figure(name, group) for name, group in groups.items()]


def _figure(name: str, group: list[tuple[bool, str]]) -> dict[str, Any]:
    hits = sum(hit for hit, _ in group)
    low, high = wilson(hits, len(group))
    return {
        "kind": name,
        "stopped": round(hits / len(group), 4),
        "interval": [round(low, 4), round(high, 4)],
        "n": len(group),
        "templates": len({template for _, template in group}),
    }


def main() -> int:
    """Print one JSON object a half and kind; with ``--misses``, what went wrong in the developing half."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--half", choices=HALVES, help="only this half")
    parser.add_argument("--seed", type=int, default=20240)
    parser.add_argument("--misses", action="store_true", help="list errors that passed and true sentences withheld")
    chosen = parser.parse_args()
    for half in [chosen.half] if chosen.half else HALVES:
        rows = list(rows_of(half, chosen.seed))
        for row in rows if chosen.misses else []:
            claim = row.judged()
            if stopped(claim) != (row.kind is not None):
                entry = {"kind": row.kind, "text": row.text, "template": row.template, "checks": claim.checks}
                sys.stdout.write(json.dumps(entry, ensure_ascii=False) + "\n")
        for figure in figures(rows):
            sys.stdout.write(json.dumps({"half": half, **figure}) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
