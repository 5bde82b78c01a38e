"""PubMed, asked live: abstracts that no library here holds, by NLM's E-utilities. Off unless a setting asks for it.

Only search terms leave the machine: words of a question that name something, out of which the caller took identity.
Source: https://www.ncbi.nlm.nih.gov/books/NBK25501/ (three requests a second, ten with a key).
"""

import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import numpy as np

from overread.settings import Settings
from retrieval.chunks import Chunk, cut
from retrieval.errors import LiveError, SourceError
from retrieval.evidence import run, telling
from retrieval.presence import Asked, ask
from retrieval.search import Hit
from retrieval.sources import pubmed
from retrieval.sources.bounds import parse_xml
from retrieval.sources.document import Document
from retrieval.terms import content, generic, term_set, terms

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

NAME = "pubmed_live"
MAX_BYTES = 8 * 2**20
MOST_TERMS = 12

_A_SECOND, _A_SECOND_WITH_KEY = 3, 10
_TRIES = 3
_PAUSE_S = 0.5
"""Wait so long before asking again after a failure that names no time."""

_HALF = 0.5
"""A passage that has less of what is asked than this is not given."""

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*")
_MARKER = re.compile(r"\[[^\]]*\]|<[^>]*>")


@dataclass(frozen=True)
class Live:
    """What PubMed has: passages that may be quoted, and the numbers of articles that are retracted and may not."""

    hits: tuple[Hit, ...]
    retracted: tuple[str, ...]


class PubMed:
    """Asks PubMed, within its limits. One for a process; safe to share between threads."""

    def __init__(self, chosen: Settings) -> None:
        self._url = chosen.pubmed_url.rstrip("/")
        self._key = chosen.pubmed_api_key.get_secret_value() if chosen.pubmed_api_key else None
        self._timeout = chosen.pubmed_timeout_s
        self._apart = 1.0 / (_A_SECOND_WITH_KEY if self._key else _A_SECOND)
        self._client = httpx.Client()
        self._lock = threading.Lock()
        self._next = 0.0

    def search(self, words: str, k: int = 3) -> Live:
        """What PubMed's best abstracts for some search terms (``search_terms``) say of them, at most ``k`` passages.

        Raises ``LiveError`` where PubMed cannot be reached, refuses, or answers nothing that can be read, in time.
        """
        if not words:
            return Live((), ())
        ends = time.monotonic() + self._timeout
        found = self._get("esearch", {"term": words, "retmax": str(2 * k), "sort": "relevance"}, ends)
        ids = [one.text or "" for one in _parsed(found).iterfind("IdList/Id")]
        ids = [one for one in ids if one.isascii() and one.isdigit()][: 2 * k]
        if not ids:
            return Live((), ())
        fetched = self._get("efetch", {"id": ",".join(ids)}, ends)
        try:
            documents = {document.key: document for document in pubmed.read(fetched, "PubMed")}
        except SourceError:
            raise LiveError("PubMed's answer cannot be read") from None
        asked = ask(words, _same)
        hits: list[Hit] = []
        retracted: list[str] = []
        for document in (documents[one] for one in ids if one in documents):
            if document.status == "retracted":
                retracted.append(document.key)
            elif (hit := _hit(asked, document)) is not None:
                hits.append(hit)
        return Live(tuple(hits[:k]), tuple(retracted))

    def _get(self, what: str, asked: Mapping[str, str], ends: float) -> bytes:
        parameters = {"db": "pubmed", "retmode": "xml", "tool": "overread", **asked}
        if self._key:
            parameters["api_key"] = self._key
        problem = "PubMed is asked by others, or has asked to be left alone for a while"
        for _ in range(_TRIES):
            if not self._turn(ends):
                break
            try:
                with self._client.stream(
                    "GET", f"{self._url}/{what}.fcgi", params=parameters, timeout=max(0.05, ends - time.monotonic())
                ) as response:
                    if response.status_code == 200:
                        return b"".join(_bounded(response, ends))
                    wait = _asked_to_wait(response)
                    problem = f"PubMed refused to answer (status {response.status_code})"
                    if response.status_code != 429 and response.status_code < 500:
                        break
            except httpx.TimeoutException:
                problem = "PubMed did not answer in time"
                break
            except (httpx.HTTPError, httpx.InvalidURL, OSError):
                problem, wait = "PubMed cannot be reached", _PAUSE_S
            with self._lock:
                self._next = max(self._next, time.monotonic() + wait)
        raise LiveError(problem)

    def _turn(self, ends: float) -> bool:
        """Wait for this request's turn; false, at once, where that comes after the end."""
        if not self._lock.acquire(timeout=max(0.0, ends - time.monotonic())):
            return False
        try:
            if self._next >= ends:
                return False
            # Held while it waits, so that two requests are apart however late either wakes up.
            time.sleep(max(0.0, self._next - time.monotonic()))
            self._next = time.monotonic() + self._apart
        finally:
            self._lock.release()
        return True


def search_terms(question: str) -> str:
    """The words of a question that name something, as PubMed is asked for them; "" where there are none.

    Numbers, and markers that stand for identity, are left out, whoever the question was cleaned by.
    """
    words = _WORD.findall(_MARKER.sub(" ", question))
    naming = [word for word in words if any(not generic(term) for term in content(terms(word)))]
    return " ".join(list(dict.fromkeys(naming))[:MOST_TERMS])


def _hit(asked: Asked, document: Document) -> Hit | None:
    """The passage of an abstract that has most of what is asked, or ``None`` where all have less than half."""
    titled = np.array([word in term_set(document.title) for word in asked.words], dtype=np.bool_)
    best: tuple[float, Chunk] | None = None
    for chunk in cut(document):
        there = term_set(document.text[chunk.start : chunk.end])
        share = asked.named_in(titled | np.array([word in there for word in asked.words], dtype=np.bool_))
        if best is None or share > best[0]:
            best = share, chunk
    if best is None or best[0] < _HALF:
        return None
    share, chunk = best
    texts = [document.text[start:end] for start, end in chunk.sentences]
    own = np.array([[word in term_set(text) for word in asked.words] for text in texts], dtype=np.bool_)
    first, last = run(telling(asked, own, titled, texts, None), [len(text.split()) for text in texts])
    doubted = f", {document.status}: {document.note}" if document.status != "current" else ""
    return Hit(
        title=f"[{document.status.upper()}] {document.title}" if doubted else document.title,
        source=", ".join(filter(None, (document.source, document.date, "asked live"))) + doubted,
        url=document.url,
        text=document.text[chunk.sentences[first][0] : chunk.sentences[last - 1][1]],
        score=share,
        note_id=f"pubmed-{document.key}",
        section=chunk.section,
        sentences=tuple(texts[first:last]),
        references=(),
    )


def _parsed(data: bytes) -> "Any":
    try:
        return parse_xml(data)
    except SourceError:
        raise LiveError("PubMed's answer cannot be read") from None


def _bounded(response: httpx.Response, ends: float) -> "Iterator[bytes]":
    """The body. Raises ``LiveError`` where it is too large, or trickles in too slowly."""
    size = 0
    for piece in response.iter_bytes():
        size += len(piece)
        if size > MAX_BYTES:
            raise LiveError("PubMed's answer is larger than is read")
        if time.monotonic() > ends:
            raise LiveError("PubMed did not answer in time")
        yield piece


def _asked_to_wait(response: httpx.Response) -> float:
    """Seconds that the server asks to be left alone; half a second where it does not say."""
    said = response.headers.get("Retry-After", "")
    return float(said) if said.isascii() and said.isdigit() else _PAUSE_S


def _same(_word: str) -> float:
    return 1.0
