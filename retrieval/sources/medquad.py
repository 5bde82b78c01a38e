"""MedQuAD: one document on a focus, a section for each question with its answer.

Source: Ben Abacha and Demner-Fushman, "A question-entailment approach to question answering", 2019.
"""

import re
from collections.abc import Iterator
from typing import Any

from retrieval.sources import elements
from retrieval.sources.bounds import parse_xml
from retrieval.sources.document import Document, Writer, other_names
from retrieval.sources.front import address

LICENCE = "CC BY 4.0 (MedQuAD)"
_RUN = re.compile(r"\n|\s{2,}(- )?")
_LONG = 3
"""So many spaces stand where a page had a new block."""


def read(data: bytes, name: str) -> Iterator[Document]:
    """The one document of a file, or none where all its answers were taken out. Raises ``SourceError``."""
    root = parse_xml(data)
    source = root.get("source") or root.get("corpus") or "MedQuAD"
    focus = elements.text(_first(root, "Focus", "doctitle-focus")) or name
    about = {
        "url": address(root.get("url")),
        "licence": LICENCE,
        "names": other_names((name.text for name in root.iter("Synonym", "synonym")), focus),
    }
    writer = Writer(f"{source}/{root.get('id') or root.get('docid')}", focus, "medquad", source, about)
    for pair in root.iter("QAPair", "pair"):
        question = elements.text(_first(pair, "Question", "question")).replace("is (are)", "is").rstrip(" ?")
        question = question[:1].upper() + question[1:]
        answer = _first(pair, "Answer", "answer")
        if answer is not None:
            text = _RUN.sub(_break, "".join(answer.itertext()).strip())
            writer.add(text, (question + "?" if question else "",))
    if not writer.empty:
        yield writer.document()


def _first(element: Any, *names: str) -> Any:
    """The first child of any of some names: a few files of the collection use other names than the rest."""
    return next((child for child in map(element.find, names) if child is not None), None)


def _break(run: re.Match[str]) -> str:
    """What a run of white space means in an answer, whose lists and paragraphs were written on one line."""
    if run[1]:
        return "\n- "
    ended = run.start() > 0 and run.string[run.start() - 1] in ".?!"
    return "\n" if ended or "\n" in run[0] or len(run[0]) >= _LONG else " "
