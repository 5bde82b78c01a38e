"""JSONL: a document a line, with ``text`` or ``sections`` and what else is known of it.

Fields: ``id``, ``title``, ``text``, ``sections`` [{``title``, ``text``, ``page``}], ``source``, ``url``, ``licence``,
``date``, ``status`` (current, outdated, retracted), ``status_note``, ``domains``, ``names`` (what else
its subject is called), ``role`` (knowledge, report).
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from retrieval.errors import SourceError
from retrieval.sources import front
from retrieval.sources.document import Document, Writer
from retrieval.sources.plain import decode

_TEXT_NAMES = ("text", "contents", "content", "abstract", "body")


def read(data: bytes, name: str) -> Iterator[Document]:
    """Every line's document, in order. Raises ``SourceError`` at the end where lines were none, naming the first."""
    wrong: list[str] = []
    for number, line in enumerate((decode(data) or "").split("\n"), start=1):
        if line.strip():
            try:
                yield _document(_fields(line), name, number)
            except SourceError as error:
                wrong.append(f"line {number}: {error}")
    if wrong:
        raise SourceError(wrong[0] + (f" (and {len(wrong) - 1} more lines are no documents)" if len(wrong) > 1 else ""))


def _fields(line: str) -> dict[str, Any]:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        raise SourceError("it is not JSON") from None
    if not isinstance(fields, dict):
        raise SourceError("it is not a JSON object")
    return fields


def _document(fields: Mapping[str, Any], name: str, number: int) -> Document:
    about = front.about(fields)
    role = fields.get("role", "knowledge")
    if role not in ("knowledge", "report"):
        raise SourceError("its role is neither knowledge nor report")
    about["role"] = role
    key = front.text_of(fields, "id", "_id", "pmid", "doc_id") or str(number)
    title = front.text_of(fields, "title", "question", "name") or f"{name}, {key}"
    writer = Writer(key, title, "jsonl", front.text_of(fields, "source", "journal") or name, about)
    for field in _TEXT_NAMES:
        if isinstance(fields.get(field), str):
            writer.add(fields[field])
            break
    sections = fields.get("sections")
    for section in sections if isinstance(sections, list) else ():
        if isinstance(section, dict) and isinstance(section.get("text"), str):
            page = section.get("page")
            heading = front.text_of(section, "title", "heading") or ""
            writer.add(section["text"], (heading,), page if isinstance(page, int) and page > 0 else None)
    if writer.empty:
        raise SourceError("it has no text; name it text")
    return writer.document()
