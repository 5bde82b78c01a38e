"""Reading: which kind of document some bytes are, told by their content, and the documents in them."""

import io
import json
import re
from collections.abc import Callable, Iterator
from importlib import import_module

from retrieval.errors import SourceError
from retrieval.sources.bounds import MAX_TEXT, deadline, root_tag
from retrieval.sources.document import Document
from retrieval.sources.plain import decode

_ROOTS = {
    "PubmedArticleSet": "pubmed",
    "PubmedArticle": "pubmed",
    "MedlineCitationSet": "pubmed",
    "MedlineCitation": "pubmed",
    "article": "jats",
    "pmc-articleset": "jats",
    "health-topics": "medlineplus",
    "eCitation": "openi",
    "html": "html",
}
_HTML = re.compile(rb"<!doctype\s+html|<html[\s>]|<(?:head|body)[\s>]", re.I)
_MARKDOWN = re.compile(r"\A---\n|^#{1,6} \S|^```|^\[[^\]]+\]: \S+|^(?:\* |- |\d+\. )\S.*\n(?:\* |- |\d+\. )\S", re.M)
_SNIFFED = 65_536

FORMATS = ("docx", "html", "jats", "jsonl", "markdown", "medlineplus", "medquad", "openi", "pdf", "pubmed", "text")
"""The kinds of documents there are readers for; each is the module ``retrieval.sources.<kind>`` (text: plain)."""


def kind_of(data: bytes, name: str = "") -> str | None:
    """One of ``FORMATS``, or ``None`` where the bytes are nothing that can be read.

    The name decides only between Markdown and plain text, where the content leaves it open.
    """
    if data[:5] == b"%PDF-" or b"%PDF-" in data[:1024]:
        return "pdf"
    if data[:4] == b"PK\x03\x04":
        return "docx" if _is_docx(data) else None
    text = decode(data[:_SNIFFED] if len(data) <= _SNIFFED else data[:_SNIFFED].rsplit(b"\n", 1)[0])
    if text is None or not text.strip():
        return None
    start = text.lstrip()
    if start.startswith("<"):
        return _of_markup(data)
    if start.startswith("{"):
        return "jsonl" if _is_jsonl(decode(data) or "") else None
    if _HTML.search(data[:1024]):
        return "html"
    return "markdown" if _MARKDOWN.search(text) or name.lower().endswith((".md", ".markdown")) else "text"


def read(data: bytes, name: str) -> Iterator[Document]:
    """The documents in some bytes. ``name`` stands for a title or source where the bytes give none.

    Raises ``SourceError``, after the documents before the break where there were any.
    """
    kind = kind_of(data, name)
    if kind is None:
        raise SourceError("it is empty, or no document of a known kind")
    reader: Callable[[bytes, str], Iterator[Document]] = import_module(
        f"retrieval.sources.{'plain' if kind == 'text' else kind}"
    ).read
    with deadline():
        for document in reader(data, name):
            if len(document.text) > MAX_TEXT:
                raise SourceError(f"a document in it has more than {MAX_TEXT:,} characters; split it")
            if not document.parts:
                raise SourceError("there is no text in it")
            yield document


def _of_markup(data: bytes) -> str | None:
    tag = root_tag(data)
    if (tag == "Document" and b"<QAPair" in data) or (tag == "doc" and b"<qaPairs" in data):
        return "medquad"
    if tag in _ROOTS:
        return _ROOTS[tag]
    return "html" if _HTML.search(data[:1024]) or tag in ("div", "p", "h1", "body", "head") else None


def _is_jsonl(text: str) -> bool:
    first = next((line for line in text.splitlines() if line.strip()), "")
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def _is_docx(data: bytes) -> bool:
    from retrieval.sources.bounds import open_zip

    with open_zip(io.BytesIO(data)) as archive:
        return "word/document.xml" in archive.namelist()
