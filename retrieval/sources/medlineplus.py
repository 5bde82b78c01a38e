"""MedlinePlus health topics XML: one document an English topic.

Format: https://medlineplus.gov/xmldescription.html
"""

from collections.abc import Iterator

from lxml import etree, html

from retrieval.sources import elements
from retrieval.sources.bounds import parse_xml
from retrieval.sources.document import Document, Writer, iso_date, other_names
from retrieval.sources.front import address

_BLOCKS = ["p", "li", "h2", "h3", "h4"]


def read(data: bytes, name: str) -> Iterator[Document]:
    """Every health topic with a summary. Topics in other languages are left out. Raises ``SourceError``."""
    root = parse_xml(data)
    made = root.get("date-generated", "")
    for topic in root.iter("health-topic"):
        if topic.get("language", "English") != "English":
            continue
        month, _, rest = (topic.get("date-created") or made or "").partition("/")
        day, _, year = rest.partition("/")
        title = topic.get("title") or name
        about = {
            "url": address(topic.get("url")),
            "licence": "public domain (MedlinePlus health topic summary)",
            "date": iso_date(f"{year[:4]}-{month}-{day}"),
            "names": other_names((also.text for also in topic.iter("also-called")), title),
        }
        writer = Writer(topic.get("id") or title, title, "medlineplus", "MedlinePlus", about)
        for line in _lines(elements.text(topic.find("full-summary")) or topic.get("meta-desc") or ""):
            writer.add(line, ("Summary",))
        if not writer.empty:
            yield writer.document()


def _lines(summary: str) -> Iterator[str]:
    """The paragraphs and list items of a summary, which is HTML written out as text."""
    if "<" not in summary:
        yield summary
        return
    try:
        root = html.fragment_fromstring(summary, create_parent="div")
    except etree.ParserError:
        return
    blocks = list(root.iter(_BLOCKS))
    yield root.text or ""
    for block in blocks or [root]:
        yield block.text_content()
