"""PubMed and MEDLINE XML: one document an abstract. PubMed's own marks of retraction are read.

Elements: https://www.nlm.nih.gov/bsd/licensee/data_elements_doc.html
"""

from collections.abc import Iterator
from typing import Any

from retrieval.sources import elements
from retrieval.sources.bounds import parse_xml
from retrieval.sources.document import Document, Writer

_RETRACTED_TYPE = "Retracted Publication"
_RETRACTED_BY = ("RetractionIn", "PartialRetractionIn", "RetractedandRepublishedIn")
_DOUBTED_BY = {
    "ExpressionOfConcernIn": "an expression of concern was published",
    "UpdateIn": "an update was published",
}


def read(data: bytes, _name: str) -> Iterator[Document]:
    """Every citation that has an abstract. Raises ``SourceError``."""
    root = parse_xml(data)
    for citation in root.iter("MedlineCitation"):
        document = _document(citation)
        if document is not None:
            yield document


def _document(citation: Any) -> Document | None:
    article = citation.find("Article")
    number = elements.text(citation.find("PMID"))
    if article is None or not number:
        return None
    journal = elements.text(article.find("Journal/ISOAbbreviation")) or elements.text(article.find("Journal/Title"))
    status, note = _standing(citation)
    about = {
        "url": f"https://pubmed.ncbi.nlm.nih.gov/{number}/" if number.isdigit() else None,
        "licence": elements.text(article.find("Abstract/CopyrightInformation")) or None,
        "date": elements.date(article.find("ArticleDate"))
        or elements.date(article.find("Journal/JournalIssue/PubDate"))
        or elements.date(citation.find("DateCompleted")),
        "status": status,
        "note": note,
    }
    title = elements.text(article.find("ArticleTitle")) or f"PubMed {number}"
    source = f"PubMed {number}" + (f", {journal}" if journal else "")
    writer = Writer(number, title, "pubmed", source, about)
    for part in article.iterfind("Abstract/AbstractText"):
        label = (part.get("Label") or "").capitalize()
        writer.add(elements.text(part), ("Abstract", label) if label else ("Abstract",))
    return None if writer.empty else writer.document()


def _standing(citation: Any) -> tuple[str, str | None]:
    """The status PubMed gives an article, and why."""
    types = {elements.text(kind) for kind in citation.iterfind("Article/PublicationTypeList/PublicationType")}
    notices = {
        str(notice.get("RefType")): elements.text(notice.find("RefSource"))
        for notice in citation.iterfind("CommentsCorrectionsList/CommentsCorrections")
    }
    retraction = next((kind for kind in _RETRACTED_BY if kind in notices), None)
    if _RETRACTED_TYPE in types or retraction:
        where = notices.get(retraction or "", "")
        return "retracted", f"retracted in {where}" if where else "retracted, says PubMed"
    doubt = next((kind for kind in _DOUBTED_BY if kind in notices), None)
    if doubt:
        return "outdated", f"{_DOUBTED_BY[doubt]}: {notices[doubt]}" if notices[doubt] else _DOUBTED_BY[doubt]
    return "current", None
