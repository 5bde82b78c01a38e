"""A question of knowledge asks PubMed too where the settings say so, and goes on where that fails."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from agent.assistant import Assistant
from agent.parts import Parts
from agent.request import Request
from overread.events import DoneEvent, Event, PassageEvent, ToolResultEvent, ToolStartEvent
from overread.settings import Settings

SEARCHED = b"<eSearchResult><IdList><Id>11</Id></IdList></eSearchResult>"
FETCHED = b"""<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>11</PMID><Article><Journal>
<ISOAbbreviation>J Test</ISOAbbreviation></Journal><ArticleTitle>Cystinosis</ArticleTitle><Abstract><AbstractText>
Cystinosis is confirmed by measuring cystine in white blood cells.</AbstractText></Abstract></Article></MedlineCitation>
</PubmedArticle></PubmedArticleSet>"""


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        asked: list[str] = self.server.asked  # type: ignore[attr-defined]
        asked.append(parse_qs(urlsplit(self.path).query).get("term", [""])[0])
        broken = self.path.startswith("/broken/")
        body = SEARCHED if "esearch" in self.path else FETCHED
        self.send_response(503 if broken else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


async def ask(own: Settings, question: str) -> list[Event]:
    async with Assistant(own, Parts(own)) as assistant:
        return [event async for event in assistant.ask(Request(question, ()))]


def live(own: Settings, server: ThreadingHTTPServer, behaviour: str) -> Settings:
    url = f"http://127.0.0.1:{server.server_address[1]}/{behaviour}"
    return own.model_copy(update={"pubmed_live": True, "pubmed_url": url})


async def test_it_answers_from_an_abstract_that_was_asked_for(
    own_settings: Settings, server: ThreadingHTTPServer
) -> None:
    events = await ask(live(own_settings, server, "well"), "How is cystinosis confirmed in John Smith, born 3/4/1956?")
    (start,) = [event for event in events if isinstance(event, ToolStartEvent)]
    (result,) = [event for event in events if isinstance(event, ToolResultEvent)]
    assert (start.tool, result.status) == ("pubmed_live", "ok")
    (passage,) = [event for event in events if isinstance(event, PassageEvent)]
    assert (passage.source, passage.url) == ("PubMed 11, J Test, asked live", "https://pubmed.ncbi.nlm.nih.gov/11/")
    done = events[-1]
    assert isinstance(done, DoneEvent)
    assert "Cystinosis is confirmed by measuring cystine in white blood cells [S1]." in done.answer
    sent = server.asked[0]  # type: ignore[attr-defined]
    assert "cystinosis" in sent
    assert not {"John", "Smith", "1956"} & set(sent.split())


async def test_a_failure_is_told_and_the_run_goes_on(own_settings: Settings, server: ThreadingHTTPServer) -> None:
    events = await ask(live(own_settings, server, "broken"), "How is sarcoidosis confirmed?")
    (result,) = [event for event in events if isinstance(event, ToolResultEvent)]
    assert (result.status, result.reason) == ("failed", "PubMed refused to answer (status 503)")
    done = events[-1]
    assert isinstance(done, DoneEvent)
    assert done.citations


async def test_it_is_off_unless_asked_for(own_settings: Settings, server: ThreadingHTTPServer) -> None:
    off = live(own_settings, server, "well").model_copy(update={"pubmed_live": False})
    events = await ask(off, "How is sarcoidosis confirmed?")
    assert not [event for event in events if isinstance(event, ToolStartEvent)]
    assert server.asked == []  # type: ignore[attr-defined]
