"""PubMed asked live, of a real HTTP server on loopback that speaks E-utilities, well or badly."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from overread.settings import Settings
from retrieval.errors import LiveError
from retrieval.live import PubMed, search_terms

SEARCHED = b"""<?xml version="1.0"?>
<!DOCTYPE eSearchResult PUBLIC "-//NLM//DTD esearch 20060628//EN" "https://eutils.ncbi.nlm.nih.gov/eutils/dtd/x.dtd">
<eSearchResult><Count>3</Count><IdList><Id>11</Id><Id>12</Id><Id>13</Id><Id>not a number</Id></IdList>
</eSearchResult>"""
ARTICLE = """<PubmedArticle><MedlineCitation><PMID>{id}</PMID><Article><Journal><JournalIssue><PubDate><Year>2020</Year>
</PubDate></JournalIssue><ISOAbbreviation>J Test</ISOAbbreviation></Journal><ArticleTitle>{title}</ArticleTitle>
<Abstract><AbstractText Label="RESULTS">{text}</AbstractText></Abstract><PublicationTypeList>
<PublicationType>{type}</PublicationType></PublicationTypeList></Article></MedlineCitation></PubmedArticle>"""
FETCHED = "<PubmedArticleSet>{}</PubmedArticleSet>".format(
    "".join(
        ARTICLE.format(id=id_, title=title, text=text, type=kind)
        for id_, title, text, kind in (
            (12, "Zorblax cures all", "Zorblax treats cystinosis.", "Retracted Publication"),
            (
                11,
                "Cystinosis",
                "We asked. Cysteamine treats cystinosis. It was well tolerated.",
                "Journal Article",
            ),
            (13, "Bicycles", "Tyres were changed.", "Journal Article"),
        )
    )
).encode()


class Handler(BaseHTTPRequestHandler):
    server: "Server"

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        split = urlsplit(self.path)
        _, behaviour, what = split.path.split("/")
        asked = {name: values[0] for name, values in parse_qs(split.query).items()}
        with self.server.lock:
            self.server.asked.append((time.monotonic(), what, asked))
            count = len(self.server.asked)
        if behaviour == "busy" and count == 1:
            return self.answer(429, b"", {"Retry-After": "1"})
        if behaviour == "busy-for-long":
            return self.answer(429, b"", {"Retry-After": "3600"})
        if behaviour == "broken" or (behaviour == "breaks-once" and count == 1):
            return self.answer(500, b"oops")
        if behaviour == "forbids":
            return self.answer(403, b"no")
        if behaviour == "slow":
            self.server.released.wait(30)
            return None
        if behaviour == "trickles":
            self.send_response(200)
            self.end_headers()
            while not self.server.released.wait(0.05):
                try:
                    self.wfile.write(b" ")
                except OSError:
                    return None
            return None
        if behaviour == "malformed":
            return self.answer(200, b"<eSearchResult><IdList><Id>1</Id>")
        if behaviour == "malformed-article" and what == "efetch.fcgi":
            return self.answer(200, FETCHED[:200])
        if behaviour == "bomb":
            return self.answer(200, b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')
        if behaviour == "finds-nothing":
            return self.answer(200, b"<eSearchResult><Count>0</Count><IdList/></eSearchResult>")
        return self.answer(200, SEARCHED if what == "esearch.fcgi" else FETCHED)

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[float, str, dict[str, str]]] = []
        self.lock = threading.Lock()
        self.released = threading.Event()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.released.set()
    made.shutdown()
    thread.join()
    made.server_close()


def pubmed(server: Server, behaviour: str = "well", **how: object) -> PubMed:
    url = f"http://127.0.0.1:{server.server_address[1]}/{behaviour}"
    return PubMed(Settings.model_validate({"pubmed_url": url, "pubmed_timeout_s": 5, **how}))


def test_an_abstract_is_found_and_says_where_it_is_from(server: Server) -> None:
    found = pubmed(server).search("treatment cystinosis")
    (hit,) = found.hits
    assert hit.title == "Cystinosis"
    assert hit.source == "PubMed 11, J Test, 2020, asked live"
    assert hit.url == "https://pubmed.ncbi.nlm.nih.gov/11/"
    assert "Cysteamine treats cystinosis." in hit.sentences
    assert all(sentence in hit.text for sentence in hit.sentences)
    (_, first, searched), (_, second, fetched) = server.asked
    assert (first, second) == ("esearch.fcgi", "efetch.fcgi")
    assert searched["term"] == "treatment cystinosis"
    assert fetched["id"] == "11,12,13"
    assert "api_key" not in searched


def test_what_is_retracted_is_named_and_not_quoted(server: Server) -> None:
    found = pubmed(server).search("zorblax cystinosis")
    assert found.retracted == ("12",)
    assert all("Zorblax" not in hit.text for hit in found.hits)


def test_nothing_found_is_no_failure(server: Server) -> None:
    assert pubmed(server, "finds-nothing").search("cystinosis").hits == ()
    assert pubmed(server).search("").hits == ()
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        ("broken", "status 500"),
        ("forbids", "status 403"),
        ("busy-for-long", "status 429"),
        ("malformed", "cannot be read"),
        ("malformed-article", "cannot be read"),
        ("bomb", "cannot be read"),
    ],
)
def test_a_failure_is_told_apart(server: Server, behaviour: str, told: str) -> None:
    begun = time.monotonic()
    with pytest.raises(LiveError, match=told):
        pubmed(server, behaviour).search("cystinosis")
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("behaviour", ["slow", "trickles"])
def test_it_ends_in_time(server: Server, behaviour: str) -> None:
    begun = time.monotonic()
    with pytest.raises(LiveError, match="in time"):
        pubmed(server, behaviour, pubmed_timeout_s=0.5).search("cystinosis")
    assert time.monotonic() - begun < 3


def test_nobody_there(server: Server) -> None:
    asking = PubMed(Settings.model_validate({"pubmed_url": "http://127.0.0.1:9/x", "pubmed_timeout_s": 2}))
    with pytest.raises(LiveError, match="cannot be reached"):
        asking.search("cystinosis")


def test_it_waits_as_long_as_it_is_told_to(server: Server) -> None:
    assert pubmed(server, "busy").search("cystinosis").hits
    assert server.asked[1][0] - server.asked[0][0] >= 1


def test_a_single_failure_is_tried_again(server: Server) -> None:
    assert pubmed(server, "breaks-once").search("cystinosis").hits


@pytest.mark.parametrize(("key", "a_second"), [(None, 3), ("k3y", 10)])
def test_the_rate_is_kept_by_all_threads_together(server: Server, key: str | None, a_second: int) -> None:
    asking = pubmed(server, "finds-nothing", pubmed_api_key=key, pubmed_timeout_s=20)
    threads = [threading.Thread(target=asking.search, args=("cystinosis",)) for _ in range(5)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.asked) == 5
    assert max(at for at, _, _ in server.asked) - begun >= 4 / a_second
    assert {asked.get("api_key") for _, _, asked in server.asked} == {key}


@pytest.mark.parametrize(
    ("question", "terms"),
    [
        ("How is cystinosis treated in a child of 7?", "cystinosis treated child"),
        ("[NAME], born [DATE], has sarcoidosis: what is it?", "born sarcoidosis"),
        ("What is it?", ""),
    ],
)
def test_terms_are_words_that_name_something(question: str, terms: str) -> None:
    assert search_terms(question) == terms
