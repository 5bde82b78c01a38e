"""Text of XML elements: what the XML readers share."""

from collections.abc import Iterator
from typing import Any

from retrieval.sources.document import date_of, one_line


def local(element: Any) -> str:
    """An element's name without its namespace; "" for what is no element."""
    return str(element.tag).rpartition("}")[2] if isinstance(element.tag, str) else ""


def text(element: Any, leave_out: frozenset[str] = frozenset()) -> str:
    """All words in an element as one line; "" for ``None``. Children named in ``leave_out`` are passed over."""
    return one_line("".join(_words(element, leave_out))) if element is not None else ""


def date(element: Any) -> str | None:
    """The date in an element with Year, Month and Day children, in either case, or ``None``."""
    if element is None:
        return None
    parts = {local(child).lower(): child.text for child in element}
    return date_of(parts.get("year"), parts.get("month"), parts.get("day"))


def strip_namespaces(root: Any) -> None:
    """Take the namespaces out of all names, so that one path finds an element of every edition."""
    for element in root.iter():
        if isinstance(element.tag, str) and element.tag.startswith("{"):
            element.tag = local(element)


def _words(element: Any, leave_out: frozenset[str]) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        if local(child) and local(child) not in leave_out:
            yield from _words(child, leave_out)
        yield child.tail or ""
