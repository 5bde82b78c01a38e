"""Markdown, with or without a YAML front matter (title, source, url, licence, date, status, domains)."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from retrieval.sources import front
from retrieval.sources.document import Document, Writer, one_line
from retrieval.sources.plain import decode

if TYPE_CHECKING:
    from markdown_it.token import Token

_FOOTNOTE = re.compile(r"\s*\[\^[^\]\s]+\](?!:)")
_DEFINITION = re.compile(r"^\[\^[^\]\s]+\]:.*$", re.MULTILINE)


def read(data: bytes, name: str) -> Iterator[Document]:
    """The one document of a Markdown file. Footnote marks are left out of its text. Raises ``SourceError``."""
    from markdown_it import MarkdownIt

    fields, body = front.split(decode(data) or "")
    body = _FOOTNOTE.sub("", _DEFINITION.sub("", body))
    tokens = MarkdownIt("commonmark", {"html": False}).enable("table").parse(body)
    title = front.text_of(fields, "title") or _first_heading(tokens) or name
    writer = Writer("", title, "markdown", front.text_of(fields, "source") or name, front.about(fields))
    headings: list[tuple[int, str]] = []
    row: list[str] = []
    for at, token in enumerate(tokens):
        if token.type == "inline":
            before = tokens[at - 1]
            if before.type == "heading_open":
                level = int(before.tag[1:])
                headings = [(one, text) for one, text in headings if one < level]
                heading = _plain(token)
                if heading != title or level > 1:
                    headings.append((level, heading))
            elif before.type in ("th_open", "td_open"):
                row.append(_plain(token))
            else:
                writer.add(_plain(token), tuple(text for _, text in headings))
        elif token.type == "tr_close":
            writer.add(" | ".join(row), tuple(text for _, text in headings))
            row = []
        elif token.type in ("fence", "code_block"):
            writer.add(token.content, tuple(text for _, text in headings))
    yield writer.document()


def _plain(token: "Token") -> str:
    """The words of an inline token, its marks gone."""
    out = []
    for child in token.children or ():
        if child.type in ("text", "code_inline", "image"):
            out.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            out.append(" ")
    return one_line("".join(out))


def _first_heading(tokens: Sequence["Token"]) -> str | None:
    for at, token in enumerate(tokens):
        if token.type == "heading_open" and token.tag == "h1":
            return _plain(tokens[at + 1])
    return None
