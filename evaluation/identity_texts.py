"""The texts that finding identity is measured on: what is marked in them, and texts without anybody."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from training.harmless import medquad_texts

GIVEN = (
    "Ottoline", "Wulfric", "Thandeka", "Bengt", "Yuliana", "Kwesi", "Saoirse", "Ruslan", "Meenakshi", "Tomoko",
    "Itziar", "Hovhannes", "Elodie", "Farrukh", "Annelise", "Cosimo", "Malia", "Ottavio", "Zsuzsanna", "Dilnoza",
)  # fmt: skip
FAMILY = (
    "Penhaligon", "Strömqvist", "Mbatha", "Ivashchenko", "Quilligan", "Watanuki", "Etxeberria", "Harutyunyan",
    "Valcourt", "Subramoniam", "Trautwein", "Brizzolara", "Oyelaran", "Kealoha", "Pfefferkorn", "Csillag",
    "Nazarbekova", "Loughnane", "Adomako", "Thistlethwaite",
)  # fmt: skip
TOWNS = (
    "Orkelljunga", "Penrhyndeudraeth", "Mullumbimby", "Skarphedinsgate", "Tepoztlan", "Ouagnies", "Zwiesel",
    "Yellapur", "Chinsali", "Ballaghaderreen", "Kirkjubaer", "Vasilikos", "Sawtry", "Truckee", "Wapakoneta",
    "Mokpo", "Lodwar", "Ashby Magna",
)  # fmt: skip
"""Names and towns that are in no list of the patterns and teach the tagger nothing."""


@dataclass(frozen=True)
class Marked:
    """A text and where identity stands in it: (start, end, type). Texts of one ``group`` are alike."""

    text: str
    entities: tuple[tuple[int, int, str], ...]
    group: str = ""


def read_asq(path: Path) -> list[Marked]:
    """ASQ-PHI: queries with the values in them. A value stands at each of its occurrences, the first counted."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    marked = []
    for row in rows:
        found = ((row["text"].find(one["value"]), one) for one in row["phi"])
        entities = tuple((at, at + len(one["value"]), one["identifier_type"]) for at, one in found if at >= 0)
        marked.append(Marked(row["text"], entities, row["text"]))
    return marked


def read_presidio(path: Path) -> list[Marked]:
    """presidio-research's generated texts, grouped by their template."""
    rows = json.loads(path.read_text("utf-8"))
    return [
        Marked(
            row["full_text"],
            tuple((s["start_position"], s["end_position"], s["entity_type"]) for s in row["spans"]),
            str(row["template_id"]),
        )
        for row in rows
    ]


def reported(rows: Iterable[Marked]) -> list[Marked]:
    """The half, by the hash of the group, that no choice about the tagger was made on."""
    return [row for row in rows if hashlib.sha256(row.group.encode()).digest()[-1] % 2 == 1]


def lowered(rows: Iterable[Marked]) -> list[Marked]:
    """The texts in lower case."""
    return [Marked(row.text.lower(), row.entities, row.group) for row in rows if len(row.text.lower()) == len(row.text)]


def renamed(rows: Iterable[Marked]) -> list[Marked]:
    """The texts with other names, and other towns in the names of places, which are in no list of ours."""
    out = []
    for number, row in enumerate(rows):
        text, entities, at = "", [], 0
        for turn, (start, end, kind) in enumerate(sorted(row.entities)):
            if start < at:
                continue
            value = _other(row.text[start:end], kind, number * 7 + turn)
            text += row.text[at:start] + value
            entities.append((len(text) - len(value), len(text), kind))
            at = end
        out.append(Marked(text + row.text[at:], tuple(entities), row.group))
    return out


def _other(value: str, kind: str, n: int) -> str:
    if kind == "NAME":
        words = iter((GIVEN[n % len(GIVEN)], *(FAMILY[(n + k) % len(FAMILY)] for k in range(9))))
        return re.sub(r"\b(?!Dr|Mr|Ms|Mrs|Miss|Prof)[A-Z][a-z]{2,}(?:['-][A-Z]?[a-z]+)*", lambda _: next(words), value)
    if kind == "GEOGRAPHIC_LOCATION" and not re.search(r"\d", value):
        town = TOWNS[n % len(TOWNS)]
        kept = re.search(r"(?:Hospital|Clinic|Medical Center|Health|Center|Institute)\b.*$", value)
        return f"{town} {kept[0]}" if kept else town
    return value


def harmless_sets(folder: Path, most: int = 1000) -> dict[str, list[Marked]]:
    """Texts with nobody: the half of MedQuAD that teaches nothing, abstracts of PubMedQA, true radiology sentences."""
    from evaluation.planted_errors import HALVES, rows_of

    abstracts = json.loads((folder / "retrieval" / "pubmedqa_ori_pqal.json").read_text("utf-8")).values()
    sentences = sorted({row.text for half in HALVES for row in rows_of(half) if row.kind is None})
    return {
        "medquad": [Marked(text, ()) for text in medquad_texts(folder, teaching=False, most=most)],
        "pubmedqa": [Marked(" ".join(row["CONTEXTS"]), ()) for row in list(abstracts)[:most]],
        "radiology_sentences": [Marked(text, ()) for text in sentences[:most]],
    }
