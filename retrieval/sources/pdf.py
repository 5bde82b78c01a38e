"""PDF: the text of each page, with its number."""

import io
import logging
from collections.abc import Iterator

from retrieval.errors import SourceError
from retrieval.sources.document import Document, Writer, flowing, iso_date, one_line

MAX_PAGES = 5_000
_MIN_CHARACTERS = 20
"""A whole PDF with less text than this is a picture of a page."""


def read(data: bytes, name: str) -> Iterator[Document]:
    """The one document of a PDF. Raises ``SourceError`` where it is broken, encrypted or has no text."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = PdfReader(io.BytesIO(data), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise SourceError("the PDF is encrypted; save it without a password")
        if len(reader.pages) > MAX_PAGES:
            raise SourceError(f"the PDF has more than {MAX_PAGES} pages; split it")
        facts = reader.metadata
        title = one_line(str(facts.title or "")) if facts else ""
        date = iso_date(facts.creation_date.date()) if facts and facts.creation_date else None
        writer = Writer("", title or name, "pdf", name, {"date": date})
        for number, page in enumerate(reader.pages, start=1):
            writer.add(flowing(page.extract_text() or ""), page=number)
    except SourceError:
        raise
    # A broken PDF may make the library fail in any way; which one is told.
    except (PyPdfError, ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError) as error:
        raise SourceError(f"it is a broken PDF ({type(error).__name__})") from None
    except (ValueError, NotImplementedError, ImportError, MemoryError) as error:
        raise SourceError(f"it is a broken PDF ({type(error).__name__})") from None
    document = writer.document()
    if sum(part.end - part.start for part in document.parts) < _MIN_CHARACTERS:
        raise SourceError("the PDF has no text; it may be a scan, which must be read by OCR first")
    yield document
