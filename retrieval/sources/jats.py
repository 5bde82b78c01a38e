"""JATS, the XML of PubMed Central and of many journals: one document an article, its sections as they are.

Elements: https://jats.nlm.nih.gov/publishing/tag-library/
"""

import re
from collections.abc import Iterator
from typing import Any

from retrieval.sources import elements
from retrieval.sources.bounds import parse_xml
from retrieval.sources.document import Document, Writer

_NO_PROSE = frozenset(
    [
        "xref",
        "table-wrap",
        "fig",
        "disp-formula",
        "inline-formula",
        "supplementary-material",
        "fn",
        "ref-list",
        "graphic",
        "media",
    ]
)
_REFERENCE_MARKS = frozenset({"xref", "fn", "inline-formula", "graphic", "media"})
_MAX_DEPTH = 12
_EMPTIED = re.compile(r"\s*[\[(][\s,;–-]*[\])]")
"""Brackets that held nothing but reference marks."""


def read(data: bytes, name: str) -> Iterator[Document]:
    """Every article that has text. Raises ``SourceError``."""
    root = parse_xml(data)
    elements.strip_namespaces(root)
    articles = [root] if root.tag == "article" else root.iter("article")
    for at, article in enumerate(articles):
        document = _document(article, name, at)
        if document is not None:
            yield document


def _document(article: Any, name: str, at: int) -> Document | None:
    meta = article.find("front/article-meta")
    if meta is None:
        return None
    numbers = {number.get("pub-id-type"): elements.text(number) for number in meta.iterfind("article-id")}
    pmc = (numbers.get("pmc") or numbers.get("pmcid") or numbers.get("pmcaid") or "").removeprefix("PMC")
    doi = numbers.get("doi")
    journal = elements.text(article.find("front/journal-meta//journal-title"))
    retraction = _retraction(article, meta)
    about = {
        "url": f"https://pmc.ncbi.nlm.nih.gov/articles/PMC{pmc}/" if pmc else f"https://doi.org/{doi}" if doi else None,
        "licence": _licence(meta),
        "date": max(filter(None, map(elements.date, meta.iterfind("pub-date"))), key=len, default=None),
        "status": "retracted" if retraction else "current",
        "note": retraction,
    }
    source = ", ".join(filter(None, (f"PMC{pmc}" if pmc else doi, journal))) or name
    title = elements.text(meta.find("title-group/article-title"), _REFERENCE_MARKS) or name
    writer = Writer(f"PMC{pmc}" if pmc else doi or str(at), title, "jats", source, about)
    for abstract in meta.iterfind("abstract"):
        if abstract.get("abstract-type") not in ("graphical", "teaser", "toc"):
            _section(abstract, ("Abstract",), writer)
    body = article.find("body")
    if body is not None:
        _section(body, (), writer)
    return None if writer.empty else writer.document()


def _section(section: Any, path: tuple[str, ...], writer: Writer) -> None:
    for child in section:
        kind = elements.local(child)
        if kind == "sec" and len(path) < _MAX_DEPTH:
            title = elements.text(child.find("title"), _REFERENCE_MARKS)
            _section(child, (*path, title) if title else path, writer)
        elif kind == "p":
            _paragraph(child, path, writer)
        elif kind in ("list", "def-list", "disp-quote", "boxed-text", "list-item", "def-item", "def", "sec"):
            _section(child, path, writer)
        elif kind in ("table-wrap", "fig"):
            label = elements.text(child.find("label"))
            writer.add(elements.text(child.find("caption"), _REFERENCE_MARKS), (*path, label or kind))


def _paragraph(paragraph: Any, path: tuple[str, ...], writer: Writer) -> None:
    lists = frozenset({"list", "def-list"})
    writer.add(_EMPTIED.sub("", elements.text(paragraph, _NO_PROSE | lists)), path)
    for child in paragraph:
        if elements.local(child) in lists:
            _section(child, path, writer)


def _licence(meta: Any) -> str | None:
    licence = meta.find("permissions/license")
    if licence is None:
        return None
    address = next((value for name, value in licence.attrib.items() if name.endswith("href")), None)
    return address or elements.text(licence.find(".//license_ref")) or elements.text(licence)[:200] or None


def _retraction(article: Any, meta: Any) -> str | None:
    """Why an article is taken for retracted, or ``None``: its type, its title, or a notice that names it."""
    if article.get("article-type") == "retraction":
        return "this is a notice of retraction"
    for notice in meta.iterfind("related-article"):
        if notice.get("related-article-type") in ("retraction-forward", "retracted-article-by"):
            return "a retraction was published"
    title = elements.text(meta.find("title-group/article-title"), _REFERENCE_MARKS).lower()
    return "its title says so" if title.startswith(("retracted:", "retracted article", "withdrawn:")) else None
