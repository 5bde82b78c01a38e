"""What a document says of itself: front matter and metadata fields, made sound."""

from collections.abc import Mapping
from typing import Any, get_args

import yaml

from retrieval.errors import SourceError
from retrieval.sources.document import Status, iso_date, one_line, other_names

MAX_FRONT = 65_536
"""Characters of a front matter."""

_OTHER_WORDS = {"withdrawn": "retracted", "superseded": "outdated", "obsolete": "outdated", "active": "current"}


def about(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a document that ``fields`` give: url, licence, date, status, note, domains and other names.

    Raises ``SourceError`` on a status that is none, because a mark that is not understood must not be lost.
    """
    out: dict[str, Any] = {
        "url": address(fields.get("url")),
        "licence": _text(fields.get("licence") or fields.get("license")),
        "date": iso_date(fields.get("date")),
        "note": _text(fields.get("status_note")),
    }
    status = _text(fields.get("status"))
    if status is not None:
        status = _OTHER_WORDS.get(status.lower(), status.lower())
        if status not in get_args(Status):
            raise SourceError(f"its status is not one of {', '.join(get_args(Status))}")
        out["status"] = status
    domains = fields.get("domains") or fields.get("domain") or ()
    if isinstance(domains, str):
        domains = [domains]
    if isinstance(domains, list | tuple):
        out["domains"] = tuple(name for name in map(_text, domains) if name)
    names = fields.get("names") or fields.get("synonyms") or fields.get("aliases") or ()
    if isinstance(names, list | tuple):
        out["names"] = other_names(map(_text, names), "")
    return out


def address(value: object) -> str | None:
    """A web address, or ``None`` for anything else."""
    text = _text(value)
    return text if text and text.startswith(("http://", "https://")) and " " not in text else None


def split(text: str) -> tuple[dict[str, Any], str]:
    """The YAML front matter of a text between two lines of ---, and the rest. Raises ``SourceError``."""
    text = text.replace("\r\n", "\n")
    if not text.startswith("---\n"):
        return {}, text
    end = text.find("\n---", 3, MAX_FRONT)
    if end < 0 or (len(text) > end + 4 and text[end + 4] != "\n"):
        return {}, text
    try:
        loaded = yaml.safe_load(text[4:end])
    except (yaml.YAMLError, ValueError, RecursionError):
        raise SourceError("its front matter is not YAML") from None
    return (loaded if isinstance(loaded, dict) else {}), text[end + 5 :]


def text_of(fields: Mapping[str, Any], *names: str) -> str | None:
    """The first of some fields that is text, as one line."""
    return next((text for text in (_text(fields.get(name)) for name in names) if text), None)


def _text(value: object) -> str | None:
    return (one_line(str(value)) or None) if isinstance(value, str | int | float) else None
