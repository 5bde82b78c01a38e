"""What retrieval is measured on: documents, questions, and which documents answer which question.

PubMedQA (Jin et al., 2019, MIT) and MedQuAD (Ben Abacha and Demner-Fushman, 2019, CC BY 4.0), read from
``shared/data/retrieval``. Questions are split by the hash of their subject before anything is tuned: what is
fitted, is fitted on the developing part, and figures are of the reporting part.
"""

import hashlib
import json
import re
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from overread.packaged import packaged_yaml
from retrieval.sources.bounds import parse_xml

Part = Literal["developing", "reporting"]
PARTS: tuple[Part, Part] = ("developing", "reporting")

WORDS_A_PASSAGE = 180
MOST_QUESTIONS = 300
"""Of a set and a part; chosen by hash where there are more."""

_MOST_SUBJECTS = 4
_CONCEPT = re.compile(r"C\d{7}(\+C\d{7})*")

_MOST_XML_BYTES = 2_000_000
"""MedQuAD's largest document has less than a tenth of that."""


@dataclass(frozen=True)
class Asked:
    """A question: ``relevant`` are the places of the documents that answer it, ``related`` those of its subject."""

    text: str
    relevant: frozenset[int]
    related: frozenset[int]
    subject: str
    part: Part


@dataclass(frozen=True)
class RetrievalSet:
    """Documents and questions. A title is "" where a document is searched without one, and so is a heading.

    ``headings`` are empty where no document has one.
    """

    name: str
    titles: tuple[str, ...]
    texts: tuple[str, ...]
    questions: tuple[Asked, ...]
    headings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """An answer of MedQuAD: its text, and the question it was written for."""

    focus: str
    key: str
    kind: str
    question: str
    synonyms: tuple[str, ...]
    text: str


def bucket(key: str, count: int, purpose: str) -> int:
    """A number below ``count`` that depends on the key and the purpose alone."""
    return int.from_bytes(hashlib.sha256(f"{purpose}\x00{key}".encode()).digest()[:8]) % count


def passages(title: str, text: str) -> list[str]:
    """A document in runs of at most 180 words, each under its title."""
    words = text.split()
    runs = [" ".join(words[at : at + WORDS_A_PASSAGE]) for at in range(0, len(words), WORDS_A_PASSAGE)]
    return [f"{title}. {run}" if title else run for run in runs]


def pubmedqa(path: Path, one_in: int = 1) -> list[RetrievalSet]:
    """Question to abstract; and, harder, question to the conclusion alone, which was cut from the abstract.

    ``one_in``: one of so many of the rows, chosen by hash.
    """
    rows = [row for row in json.loads(path.read_text(encoding="utf-8")).items() if not bucket(row[0], one_in, "quick")]
    questions = tuple(
        Asked(row["QUESTION"], frozenset([at]), frozenset([at]), id_, PARTS[bucket(id_, 2, "part")])
        for at, (id_, row) in enumerate(rows)
    )
    none = ("",) * len(rows)
    abstracts = tuple(" ".join(row["CONTEXTS"]) for _, row in rows)
    conclusions = tuple(row["LONG_ANSWER"] for _, row in rows)
    return [
        RetrievalSet("pubmedqa abstracts", none, abstracts, questions),
        RetrievalSet("pubmedqa conclusions", none, conclusions, questions),
    ]


def medquad(path: Path, one_in: int = 1) -> list[RetrievalSet]:
    """Three sets over MedQuAD's answers, each titled with its subject, never with a question.

    An answer is relevant when it has the question's subject and type. ``one_in``: one of so many of the subjects,
    chosen by hash.

    - ``medquad original``: MedQuAD's own question.
    - ``medquad lay``: the question in a layperson's words.
    - ``medquad synonyms``: so too, and the subject called by another name than in the title.
    """
    answers = [answer for answer in read_medquad(path) if not bucket(answer.key, one_in, "quick")]
    places: dict[tuple[str, str], int] = {}
    for answer in answers:
        places.setdefault((answer.focus, answer.text), len(places))
    return [
        _medquad_set("medquad original", answers, places, lambda answer, part: answer.question),  # noqa: ARG005
        _medquad_set("medquad lay", answers, places, _lay),
        _medquad_set("medquad synonyms", answers, places, _other_name),
    ]


def headed(path: Path, one_in: int = 1) -> RetrievalSet:
    """``medquad lay``, each answer under the question that it was written for, as a library keeps it."""
    answers = [answer for answer in read_medquad(path) if not bucket(answer.key, one_in, "quick")]
    headings: dict[tuple[str, str], str] = {}
    for answer in answers:
        headings.setdefault((answer.focus, answer.text), answer.question.replace(" ?", "?").replace("is (are)", "is"))
    lay = medquad(path, one_in)[1]
    of_documents = tuple(headings[document] for document in zip(lay.titles, lay.texts, strict=True))
    return replace(lay, name="medquad headed", headings=of_documents)


def read_medquad(path: Path) -> list[Answer]:
    """The answers that have a text, in the order of the hash of their subject."""
    found: list[tuple[frozenset[str], Answer]] = []
    with zipfile.ZipFile(path) as archive:
        for entry in sorted(archive.infolist(), key=lambda entry: entry.filename):
            if not entry.filename.endswith(".xml") or entry.file_size > _MOST_XML_BYTES:
                continue
            raw = archive.read(entry)
            if b"<!DOCTYPE" not in raw and b"<!ENTITY" not in raw:
                found += _answers_of(parse_xml(raw))
    keys = _subjects([names for names, _ in found])
    answers = [
        Answer(a.focus, key, a.kind, a.question, a.synonyms, a.text) for key, (_, a) in zip(keys, found, strict=True)
    ]
    return sorted(answers, key=lambda a: (bucket(a.key, 2**60, "order"), a.kind, a.text))


def everyday(part: Part) -> list[str]:
    """Questions that no medical document answers."""
    return list(_data("everyday_questions.yaml")[part])


def _answers_of(document: Any) -> Iterable[tuple[frozenset[str], Answer]]:
    focus = (document.findtext("Focus") or "").strip()
    synonyms = tuple(name.text.strip() for name in document.iter("Synonym") if name.text and name.text.strip())
    concepts = "+".join(sorted(cui.text for cui in document.iter("CUI") if cui.text))
    names = frozenset(filter(None, (_plain(focus), concepts)))
    for pair in document.iter("QAPair"):
        question, text = pair.find("Question"), (pair.findtext("Answer") or "").strip()
        if text and focus and question is not None and question.text:
            yield names, Answer(focus, "", question.get("qtype") or "", question.text.strip(), synonyms, text)


def _subjects(names: Sequence[frozenset[str]]) -> list[str]:
    """One key for all that share a name or their UMLS concepts, all of them, however many steps apart.

    Concepts of more than four subjects ("syndrome", of a thousand) make nothing the same.
    """
    parent: dict[str, str] = {}
    shared = Counter(name for group in set(names) for name in group)

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for group in names:
        first, *rest = sorted(_telling(group, shared))
        for name in rest:
            a, b = sorted((root(first), root(name)))
            parent[b] = a
    return [root(min(_telling(group, shared))) for group in names]


def _telling(group: frozenset[str], shared: Counter[str]) -> list[str]:
    return [name for name in group if shared[name] <= _MOST_SUBJECTS or not _CONCEPT.fullmatch(name)]


def _medquad_set(name: str, answers: Sequence[Answer], places: dict[tuple[str, str], int], ask: Any) -> RetrievalSet:
    relevant: dict[tuple[str, str], set[int]] = defaultdict(set)
    related: dict[str, set[int]] = defaultdict(set)
    for answer in answers:
        place = places[answer.focus, answer.text]
        relevant[answer.key, answer.kind].add(place)
        related[answer.key].add(place)
    questions = []
    for answer in answers:
        part = PARTS[bucket(answer.key, 2, "part")]
        text = ask(answer, part)
        if text:
            here = frozenset(relevant[answer.key, answer.kind])
            questions.append(Asked(text, here, frozenset(related[answer.key]), answer.key, part))
    unique = list({question.text: question for question in questions}.values())
    unique.sort(key=lambda question: bucket(question.text, 2**60, "choice"))
    chosen = [q for part in PARTS for q in [q for q in unique if q.part == part][:MOST_QUESTIONS]]
    return RetrievalSet(name, tuple(title for title, _ in places), tuple(text for _, text in places), tuple(chosen))


def _lay(answer: Answer, part: Part) -> str | None:
    return _phrase(answer, part, answer.focus)


def _other_name(answer: Answer, part: Part) -> str | None:
    """Asked by a synonym that has a word the title lacks, and is no abbreviation."""
    known = set(_plain(answer.focus).split())
    others = [
        name for name in answer.synonyms if re.search("[a-z]{5}", name) and not set(_plain(name).split()) <= known
    ]
    if not others:
        return None
    return _phrase(answer, part, others[bucket(answer.key, len(others), "synonym")])


def _phrase(answer: Answer, part: Part, subject: str) -> str | None:
    phrases = _data("lay_questions.yaml")[part].get(answer.kind)
    if not phrases:
        return None
    phrase: str = phrases[bucket(answer.key + answer.kind, len(phrases), "phrase")]
    return phrase.replace("§", subject)


def _plain(name: str) -> str:
    return " ".join(re.findall("[a-z0-9]+", name.lower()))


@lru_cache(maxsize=4)
def _data(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = packaged_yaml("evaluation", f"data/{name}")
    return loaded
