"""Writes synthetic clinical text with its identity marked: notes, questions, letters, reports, and texts with nobody.

The grammar is ``training/data/clinical_text.yaml``. Names, towns, streets and numbers are put together from parts, so
that hardly any is met twice; nothing is taken from a list of real people.
``python -m training.clinical_text 20`` shows some.
"""

import argparse
import random
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

GRAMMAR = Path(__file__).parent / "data" / "clinical_text.yaml"
OTHER = "other"
"""The kind of a stretch that is neither identity nor its absence."""

_SLOT = re.compile(r"\{(\w+)(\^?)\}")


@dataclass(frozen=True)
class WrittenText:
    """A text, where identity stands in it (start, end, kind), and the kind of text it is."""

    text: str
    spans: tuple[tuple[int, int, str], ...]
    kind: str


class ClinicalTextWriter:
    """Writes texts, one after the other, the same for the same seed.

    ``part`` 0 leaves out one in eight of the lines a text may begin with; ``part`` 1 writes with these alone, so
    that what was learned can be tried on phrasings that were never seen.
    """

    def __init__(self, seed: int, part: int | None = None) -> None:
        self._random = random.Random(seed)  # noqa: S311
        self._grammar = _grammar()
        self._part = part

    def write(self, kind: str | None = None) -> WrittenText:
        """One text of a kind, or of any, with slips of the hand now and then."""
        kinds: dict[str, int] = self._grammar["kinds"]
        chosen = kind or self._random.choices(list(kinds), list(kinds.values()))[0]
        text, spans = self._filled(self._random.choice(self._openings(chosen)), marked=False)
        return self._worn(WrittenText(text, tuple(spans), chosen))

    def texts(self, count: int) -> Iterator[WrittenText]:
        """So many texts."""
        for _ in range(count):
            yield self.write()

    def _openings(self, kind: str) -> list[str]:
        lines: list[str] = self._grammar["rules"][kind]
        if self._part is None or len(lines) < 8:
            return lines
        return [line for n, line in enumerate(lines) if (n % 8 == 5) == bool(self._part)]

    def _filled(self, line: str, *, marked: bool) -> tuple[str, list[tuple[int, int, str]]]:
        """A line with its slots filled; the outermost slot that means identity marks all of what it became."""
        out, spans, at, length = [], [], 0, 0
        for match in _SLOT.finditer(line):
            before = line[at : match.start()]
            name = match[1]
            kind = None if marked else self._grammar["identity"].get(name)
            text, inner = self._slot(name, marked=marked or kind is not None)
            if match[2]:
                text = text.upper()
            start = length + len(before)
            out += [before, text]
            length = start + len(text)
            at = match.end()
            spans += [(a + start, b + start, k) for a, b, k in inner] if kind is None else [(start, length, kind)]
        out.append(line[at:])
        return "".join(out), spans

    def _slot(self, name: str, *, marked: bool) -> tuple[str, list[tuple[int, int, str]]]:
        if name.startswith("_"):
            return self._made(name[1:]), []
        return self._filled(self._random.choice(self._grammar["rules"][name]), marked=marked)

    def _made(self, name: str) -> str:
        """What code puts together: names, towns, streets, numbers."""
        draw = self._random
        match name:
            case "given":
                return self._syllables() if draw.random() < 0.15 else draw.choice(self._culture()["given"])
            case "surname":
                return self._surname()
            case "town":
                return self._town()
            case "street":
                return self._street()
            case "street_name":
                return f"{self._word_of_a_street()} {draw.choice(self._grammar['street_words']['english'])}"
            case "made_drug":
                return f"{self._syllables()}{draw.choice(_DRUG_ENDINGS)}"
            case "number":
                return str(draw.randrange(1, 10 ** draw.randrange(2, 5)))
            case "letter":
                return draw.choice("ABCDEFGHIJKLMNOPRSTUVWYZ")
            case "LETTERS":
                return "".join(draw.choices("ABCDEFGHKLMNPRSTUVWXYZ", k=draw.randrange(1, 4)))
            case "unit":
                return f"{draw.choice(['Apt.', 'Suite', 'Apt', 'Unit', 'Flat', '#', 'Ste'])} {draw.randrange(1, 999)}"
            case "zip":
                return "".join(draw.choices("0123456789", k=draw.choice([5, 5, 5, 4, 6])))
            case "state":
                return draw.choice(_STATES)
            case "state_name":
                return draw.choice(["Bavaria", "Tuscany", "Ontario", "Queensland", "Kerala", "Ohio", "Utah", "Nevada"])
            case "day":
                return str(draw.randrange(1, 29))
            case "mon":
                return f"{draw.randrange(1, 13):02d}"
            case "age":
                return str(draw.randrange(1, 89))
            case "area":
                return str(draw.randrange(20, 990))
        raise KeyError(name)

    def _culture(self) -> dict[str, list[str]]:
        chosen: dict[str, list[str]] = self._random.choice(self._grammar["cultures"])
        return chosen

    def _surname(self) -> str:
        draw, culture = self._random, self._culture()
        chance = draw.random()
        if chance < 0.15:
            return self._syllables()
        if chance < 0.4:
            return draw.choice(culture["whole"])
        stem, end = draw.choice(culture["stem"]), draw.choice(culture["end"])
        if stem.endswith(("-", "'", "Mc", "Mac", " ")):
            end = end.strip().capitalize() if end.strip()[0].islower() else end.strip()
        return f"{stem}{end}"

    def _town(self) -> str:
        draw = self._random
        if draw.random() < 0.12:
            return self._syllables()
        culture = draw.choice(self._grammar["towns"])
        stem, end = draw.choice(culture["stem"]), draw.choice(culture["end"])
        end = end[:1].upper() + end[1:] if stem.endswith((" ", "-")) else end.lower()
        town = f"{stem}{end}"
        if draw.random() < 0.06:
            town = f"{draw.choice(['North', 'Upper', 'Old', 'Great', 'Lower', 'Port', 'Fort'])} {town}"
        return town

    def _street(self) -> str:
        draw = self._random
        line: str = draw.choice(self._grammar["streets"])
        values = {"n": self._made("number"), "n2": str(draw.randrange(1, 300)), "S": self._word_of_a_street()}
        return re.sub(
            r"\{(\w+)\}", lambda m: values.get(m[1]) or draw.choice(self._grammar["street_words"][m[1]]), line
        )

    def _word_of_a_street(self) -> str:
        draw = self._random
        return draw.choice(
            [
                self._surname(),
                self._town(),
                f"{draw.choice(self._culture()['given'])} {self._surname()}",
                draw.choice(["Maple", "Elm", "Station", "Church", "Harbour", "Long", "King", "2nd", "5th", "Market"]),
            ]
        )

    def _syllables(self) -> str:
        draw, parts = self._random, self._grammar["syllables"]
        word = "".join(
            draw.choice(parts["onset"]) + draw.choice(parts["vowel"]) + draw.choice(parts["coda"])
            for _ in range(draw.choice([2, 2, 2, 3]))
        )
        return word.capitalize()

    def _worn(self, one: WrittenText) -> WrittenText:
        """The text as people type it: in one case, with letters swapped, on one line, without a full stop."""
        draw = self._random
        chance = draw.random()
        text = one.text
        lowered = text.lower()
        if chance < 0.17 and len(lowered) == len(text):
            text = lowered
        elif chance < 0.20 and len(text.upper()) == len(text):
            text = text.upper()
        elif chance < 0.26:
            text = self._misspelt(text, one.spans)
        if draw.random() < 0.10:
            text = text.replace("\n", " ")
        if draw.random() < 0.05:
            text = text.rstrip(".?!")
        spans = tuple((a, min(b, len(text)), kind) for a, b, kind in one.spans if a < len(text))
        return WrittenText(text, spans, one.kind)

    def _misspelt(self, text: str, spans: tuple[tuple[int, int, str], ...]) -> str:
        """Two neighbouring letters swapped in some of the words that are nobody's."""
        letters = list(text)
        for match in re.finditer(r"[a-z]{5,}", text):
            if self._random.random() < 0.12 and not any(a < match.end() and match.start() < b for a, b, _ in spans):
                at = self._random.randrange(match.start() + 1, match.end() - 1)
                letters[at], letters[at + 1] = letters[at + 1], letters[at]
        return "".join(letters)


_DRUG_ENDINGS = [
    "mab",
    "nib",
    "tinib",
    "vir",
    "olol",
    "pril",
    "sartan",
    "statin",
    "cillin",
    "mycin",
    "zole",
    "pine",
    "xaban",
    "tide",
    "ra",
    "ix",
]
_STATES = ["AL", "AZ", "CA", "CO", "FL", "GA", "IL", "MA", "MI", "MN", "NC", "NY", "OH", "OR", "PA", "TX", "VA", "WA",
           "NSW", "QC", "BC", "TAS", "VIC", "Ohio", "Texas", "Bavaria", "Ontario", "Kerala"]  # fmt: skip


@lru_cache(maxsize=1)
def _grammar() -> dict[str, Any]:
    grammar: dict[str, Any] = yaml.safe_load(GRAMMAR.read_text(encoding="utf-8"))
    for name, lines in grammar["rules"].items():
        if isinstance(lines, str):
            grammar["rules"][name] = [line.strip() for line in lines.split(";")]
    return grammar


def main() -> int:
    """Print some texts, with what is marked in them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    for one in ClinicalTextWriter(chosen.seed).texts(chosen.count):
        marked = [(one.text[a:b], kind) for a, b, kind in one.spans]
        sys.stdout.write(f"--- {one.kind}\n{one.text}\n{marked}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
