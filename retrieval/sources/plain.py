"""Plain text: paragraphs apart by blank lines."""

from collections.abc import Iterator

from retrieval.sources.document import Document, Writer, flowing, one_line

_LONGEST_TITLE = 120


def decode(data: bytes) -> str | None:
    """Bytes as text (UTF-8, UTF-16 with its mark, else Windows-1252), or ``None`` where they are no text."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError:
            return None
    if b"\x00" in data:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    control = sum(byte < 9 or 13 < byte < 32 for byte in data[:4096])
    try:
        return None if control else data.decode("cp1252")
    except UnicodeDecodeError:
        return None


def read(data: bytes, name: str) -> Iterator[Document]:
    """The one document of a text file; a short first line on its own is its title."""
    text = decode(data) or ""
    first, _, rest = text.strip().partition("\n\n")
    titled = bool(rest.strip()) and "\n" not in first.strip() and 0 < len(first) <= _LONGEST_TITLE
    writer = Writer("", one_line(first) if titled else name, "text", name)
    writer.add(flowing(rest if titled else text))
    yield writer.document()
