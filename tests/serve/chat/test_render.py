import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from overread.events import ClaimEvent, DeltaEvent, ErrorEvent, Event, PassageEvent
from serve.chat.answer import answer_html
from serve.chat.render import turn_html
from serve.chat.session import Turn


class Page(HTMLParser):
    """What a browser would make of the HTML: the tags, and the text by the class it stands in."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def with_class(self, name: str) -> list[dict[str, str | None]]:
        return [attrs for _, attrs in self.tags if name in (attrs.get("class") or "").split()]


def page(events: list[Event], state: str = "done", question: str = "Is there a pneumonia?") -> Page:
    return Page(turn_html(Turn(number=1, question=question, images=1, events=events, state=state)))  # type: ignore[arg-type]


def test_an_answer_shows_steps_evidence_and_how_sure_it_is(answered: list[Event]) -> None:
    shown = page(answered)
    for text in (
        "Is there a pneumonia?",
        "14 header values removed",
        "chest X-ray, 97 %",
        "finished, 0.3 s",
        "skipped: this model speaks only for: adult",
        "pneumonia: signs found, 93 %",
        "heart width: 81.5 mm",
        "built-in composer, no language model",
        "a sentence was withheld: nothing in the evidence supports it",
        "91 % that every sentence shown is right",
        "not a medical device",
    ):
        assert text in shown.text, text
    assert [attrs["data-ref"] for attrs in shown.with_class("chip")] == ["F1", "S1"]
    ids = [attrs["id"] for _, attrs in shown.tags if "id" in attrs]
    assert {"ev-D1", "ev-F1", "ev-M1", "ev-S1"} <= set(ids)
    assert len(ids) == len(set(ids))
    links = [attrs for tag, attrs in shown.tags if tag == "a"]
    assert [link["href"] for link in links] == ["https://example.org/p?a=1&b=2"]
    assert all("noopener" in (link["rel"] or "") and "noreferrer" in (link["rel"] or "") for link in links)


def test_sentences_stand_in_their_verdict_and_withheld_ones_where_they_were(answered: list[Event]) -> None:
    html = answer_html(answered)
    assert len(re.findall(r'class="sentence sentence-supported"', html)) == 2
    assert html.index("signs of pneumonia") < html.index("withheld") < html.index("infection of the lung")


def test_a_running_turn_shows_which_tool_works(answered: list[Event]) -> None:
    shown = page(answered[:4], "running")
    assert len(shown.with_class("step-working")) == 2
    assert "chest-child" in shown.text


def test_a_stopped_turn_says_so(answered: list[Event]) -> None:
    shown = page(answered[:4], "stopped")
    assert "Stopped." in shown.text
    assert not shown.with_class("step-working")


def test_a_refusal_is_a_card_with_what_would_help(refused: list[Event]) -> None:
    shown = page(refused)
    assert len(shown.with_class("refusal")) == 1
    for text in (
        "this is not an image I know",
        "This is no medical image I know.",
        "A medical image.",
        "Send the original.",
    ):
        assert text in shown.text
    assert "no calibrated confidence" not in shown.text
    assert shown.text.count("This is no medical image I know.") == 1


def test_an_error_is_shown(answered: list[Event]) -> None:
    assert "cannot be read" in page([ErrorEvent(code="unreadable_input", message="the file cannot be read")]).text


def test_only_web_addresses_become_links() -> None:
    for url in (
        "javascript:alert(1)",
        "data:text/html,x",
        "//example.org",
        "https://",
        "http://[",
        "ftp://example.org",
    ):
        event = PassageEvent(id="S1", title="t", source="s", url=url, text="x", score=1)
        assert not [tag for tag, _ in page([event]).tags if tag == "a"], url


HOSTILE = st.text(alphabet=st.sampled_from("<>&\"'/= scriptonclick[F1]{}$"), max_size=60)


@given(HOSTILE, HOSTILE, HOSTILE)
def test_no_text_becomes_markup(question: str, answer: str, source: str) -> None:
    events: list[Event] = [
        PassageEvent(id="S1", title=source, source=source, url="https://example.org/" + source, text=source, score=1),
        DeltaEvent(text=answer),
        ClaimEvent(claim_id="1", text=answer[:10], verdict="supported"),
        ErrorEvent(code="internal", message=answer),
    ]
    shown = page(events, question=question)
    allowed = {
        "article", "h2", "h3", "span", "details", "summary", "ol", "ul", "li", "b", "section", "dl", "dt", "dd",
        "div", "p", "blockquote", "button", "a",
    }  # fmt: skip
    assert {tag for tag, _ in shown.tags} <= allowed
    assert not [name for _, attrs in shown.tags for name in attrs if name.startswith("on")]
    assert question in shown.text
    assert source in shown.text


@given(st.lists(st.text(max_size=30), max_size=6), st.lists(st.text(min_size=1, max_size=10), max_size=4))
def test_every_word_of_an_answer_is_shown_once(pieces: list[str], claimed: list[str]) -> None:
    text = "".join(pieces)
    claims = [ClaimEvent(claim_id=str(n), text=claim, verdict="supported") for n, claim in enumerate(claimed)]
    html = answer_html([*(DeltaEvent(text=piece) for piece in pieces), *claims])
    read = Page(html.replace("\r", "\n")).text.replace("\N{NO-BREAK SPACE}", " ")
    expected = re.sub(r"\[([A-Z]\d+)\]", r"\1", text.replace("\r", "\n").replace("\N{NO-BREAK SPACE}", " "))
    assert "".join(read.split()) == "".join(expected.split())
