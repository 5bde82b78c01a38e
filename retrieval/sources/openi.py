"""Open-i's chest X-ray reports as XML: one report a document, found as a report and never quoted as knowledge."""

from collections.abc import Iterator
from typing import Any

from retrieval.sources import elements
from retrieval.sources.bounds import parse_xml
from retrieval.sources.document import Document, Writer, iso_date

_LICENCES = {"byncnd": "CC BY-NC-ND 4.0", "by": "CC BY 4.0", "cc0": "CC0"}


def read(data: bytes, name: str) -> Iterator[Document]:
    """The one report of a file, or none where it says nothing. Raises ``SourceError``."""
    root = parse_xml(data)
    named = root.find("uId")
    id_ = named.get("id") if named is not None and named.get("id") else name
    about = {
        "licence": _LICENCES.get(elements.text(root.find("ccLicense")), elements.text(root.find("licenseURL"))) or None,
        "date": iso_date(elements.text(root.find("articleDate"))),
        "domains": ("xray/chest",),
        "role": "report",
    }
    source = ", ".join(filter(None, (elements.text(root.find("publisher")), "Open-i")))
    writer = Writer(id_, f"Report {id_}", "openi", source, about)
    for label, text in parts(root):
        writer.add(text, ((label or "Report").capitalize(),))
    if not writer.empty:
        yield writer.document()


def parts(root: Any) -> Iterator[tuple[str, str]]:
    """The parts of a report, each as its label ("FINDINGS"; "" without one) and its text."""
    for part in root.iter("AbstractText"):
        yield (part.get("Label") or "").upper(), elements.text(part)
