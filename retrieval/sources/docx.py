"""Word documents (DOCX): paragraphs and tables, sections by the heading styles."""

import io
import re
import zipfile
from collections.abc import Iterator

from retrieval.errors import SourceError
from retrieval.sources.bounds import open_zip
from retrieval.sources.document import Document, Writer, iso_date, one_line

_HEADING = re.compile(r"heading (\d)", re.I)


def read(data: bytes, name: str) -> Iterator[Document]:
    """The one document of a DOCX file. Raises ``SourceError`` where it is broken."""
    import docx
    from docx.exceptions import PythonDocxError
    from docx.opc.exceptions import OpcError
    from docx.table import Table
    from lxml import etree

    open_zip(io.BytesIO(data)).close()
    try:
        word = docx.Document(io.BytesIO(data))
        facts = word.core_properties
        date = iso_date(facts.modified.date()) if facts.modified else None
        blocks = [
            [(None, " | ".join(cell.text for cell in row.cells)) for row in block.rows]
            if isinstance(block, Table)
            else [(block.style.name if block.style is not None else None, block.text)]
            for block in word.iter_inner_content()
        ]
        title = one_line(facts.title or "")
    except (AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        raise SourceError(f"it is a broken Word document ({type(error).__name__})") from None
    except (OpcError, PythonDocxError, zipfile.BadZipFile, etree.XMLSyntaxError) as error:
        raise SourceError(f"it is a broken Word document ({type(error).__name__})") from None
    lines = [line for block in blocks for line in block]
    title = title or next((one_line(text) for style, text in lines if style == "Title"), "") or name
    writer = Writer("", title, "docx", name, {"date": date})
    headings: list[tuple[int, str]] = []
    for style, text in lines:
        match = _HEADING.match(style or "")
        if match:
            headings = [(one, heading) for one, heading in headings if one < int(match[1])]
            headings.append((int(match[1]), one_line(text)))
        elif style != "Title":
            writer.add(text, tuple(heading for _, heading in headings))
    yield writer.document()
