"""HTML pages: headings make the sections; menus, scripts and what is hidden are left out."""

import re
from collections.abc import Iterator
from typing import Any

from retrieval.errors import SourceError
from retrieval.sources.document import Document, Writer, iso_date, one_line
from retrieval.sources.front import address

_LEFT_OUT = frozenset(
    [
        "script",
        "style",
        "noscript",
        "template",
        "svg",
        "math",
        "nav",
        "header",
        "footer",
        "aside",
        "form",
        "button",
        "select",
        "iframe",
        "object",
        "canvas",
    ]
)
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "blockquote",
        "body",
        "br",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "hr",
        "html",
        "li",
        "main",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0", re.I)
_DATES = ("article:modified_time", "article:published_time", "dcterms.modified", "dc.date", "citation_date", "date")


def read(data: bytes, name: str) -> Iterator[Document]:
    """The one document of a page. Raises ``SourceError`` where there is nothing to read."""
    from lxml import etree, html

    try:
        root = html.document_fromstring(data, parser=html.HTMLParser(no_network=True, huge_tree=False))
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        raise SourceError("there is nothing to read in this page") from None
    meta = {
        (tag.get("name") or tag.get("property") or "").lower(): tag.get("content") or "" for tag in root.iter("meta")
    }
    heading = next((one_line(tag.text_content()) for tag in root.iter("h1")), "")
    title = one_line(root.findtext(".//title") or "") or heading or name
    about = {
        "url": next((address(tag.get("href")) for tag in root.iter("link") if tag.get("rel") == "canonical"), None),
        "licence": next((tag.get("href") for tag in root.iter("link", "a") if tag.get("rel") == "license"), None),
        "date": next(filter(None, (iso_date(meta.get(key)) for key in _DATES)), None),
    }
    writer = Writer("", title, "html", one_line(meta.get("og:site_name", "")) or name, about)
    _Page(writer, title).walk(root)
    yield writer.document()


class _Page:
    """Gathers the text of a page block by block."""

    def __init__(self, writer: Writer, title: str) -> None:
        self._writer = writer
        self._title = title
        self._headings: list[tuple[int, str]] = []
        self._line: list[str] = []

    def walk(self, root: Any) -> None:
        """Every element in order, without recursion: pages may be nested as deep as they like."""
        from lxml import etree

        skipped = None
        for event, element in etree.iterwalk(root, events=("start", "end")):
            if not isinstance(element.tag, str):
                if event == "end" and skipped is None:
                    self._line.append(element.tail or "")
                continue
            if event == "start":
                if skipped is None and (element.tag in _LEFT_OUT or element.tag == "head" or _hidden(element)):
                    skipped = element
                if skipped is None:
                    self._open(element)
            elif skipped is None or skipped is element:
                if skipped is None:
                    self._close(element)
                skipped = None
                self._line.append(element.tail or "")
        self._flush()

    def _open(self, element: Any) -> None:
        if element.tag in _BLOCKS or _level(element):
            self._flush()
        self._line.append(element.text or "")

    def _close(self, element: Any) -> None:
        level = _level(element)
        if level:
            heading = one_line("".join(self._line))
            self._line = []
            self._headings = [(one, text) for one, text in self._headings if one < level]
            if heading and not (level == 1 and heading in self._title):
                self._headings.append((level, heading))
        elif element.tag in _BLOCKS:
            self._flush()

    def _flush(self) -> None:
        self._writer.add(one_line("".join(self._line)), tuple(text for _, text in self._headings))
        self._line = []


def _level(element: Any) -> int:
    return int(element.tag[1]) if re.fullmatch(r"h[1-6]", element.tag) else 0


def _hidden(element: Any) -> bool:
    return (
        element.get("hidden") is not None
        or element.get("aria-hidden") == "true"
        or bool(_HIDDEN.search(element.get("style") or ""))
    )
