"""Small documents of every kind, made on the spot."""

import io
import zipfile
from collections.abc import Callable

import pytest

from retrieval.sources.document import Document
from retrieval.sources.reading import read

Read = Callable[..., list[Document]]


@pytest.fixture
def documents() -> Read:
    def all_of(data: bytes | str, name: str = "a file") -> list[Document]:
        return list(read(data.encode() if isinstance(data, str) else data, name))

    return all_of


@pytest.fixture
def pdf() -> Callable[..., bytes]:
    """A PDF with one line of text a page, written by hand."""

    def make(*pages: str) -> bytes:
        from pypdf import PdfWriter
        from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

        writer = PdfWriter()
        font = DictionaryObject({
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        })  # fmt: skip
        for text in pages:
            page = writer.add_blank_page(600, 800)
            page[NameObject("/Resources")] = DictionaryObject(
                {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
            )
            stream = DecodedStreamObject()
            stream.set_data(f"BT /F1 12 Tf 50 700 Td ({text}) Tj ET".encode("latin-1"))
            page[NameObject("/Contents")] = writer._add_object(stream)
        out = io.BytesIO()
        writer.write(out)
        return out.getvalue()

    return make


@pytest.fixture
def word() -> bytes:
    import docx

    made = docx.Document()
    made.core_properties.title = "A guideline"
    made.add_heading("Imaging", 1)
    made.add_heading("Chest CT", 2)
    made.add_paragraph("Use thin slices. Look at the fissures.")
    table = made.add_table(rows=1, cols=2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "nodule", "6 mm"
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


@pytest.fixture
def bomb() -> bytes:
    """A zip whose one member inflates to 64 MiB of nothing."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big.txt", b"\x00" * (64 * 2**20))
    return out.getvalue()
