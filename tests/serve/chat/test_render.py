import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from overread.events import ClaimEvent, DeltaEvent, ErrorEvent, Event, PassageEvent
from serve.chat.answer import answer_pieces, known, with_chips
from serve.chat.pieces import Piece
from serve.chat.render import turn_pieces
from serve.chat.session import Turn


class Page(HTMLParser):
    """What a browser would make of the HTML: the tags, and the text by the class it stands in."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._aside = 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._aside += bool(self._aside) or "aside" in (dict(attrs).get("class") or "").split()

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self._aside = max(0, self._aside - 1)

    def handle_data(self, data: str) -> None:
        """What is beside the words, such as a mark, is no part of them."""
        self.text += "" if self._aside else data

    def with_class(self, name: str) -> list[dict[str, str | None]]:
        return [attrs for _, attrs in self.tags if name in (attrs.get("class") or "").split()]


def page(events: list[Event], state: str = "done", question: str = "Is there a pneumonia?") -> Page:
    return Page("".join(piece.html for piece in pieces(events, state, question)))


def pieces(events: list[Event], state: str = "done", question: str = "Is there a pneumonia?") -> list[Piece]:
    turn = Turn(number=1, question=question, images=1, events=events, state=state, checked=True)  # type: ignore[arg-type]
    return turn_pieces(turn)


def test_what_was_typed_is_shown_when_identity_is_out_of_it() -> None:
    turn = Turn(number=1, question="Has Jane Doe a pneumonia?", images=1)
    before = "".join(piece.html for piece in turn_pieces(turn))
    assert "Doe" not in before
    assert "Looking for names in your question" in before
    turn.question, turn.checked = "Has [NAME] a pneumonia?", True
    assert "Has [NAME] a pneumonia?" in "".join(piece.html for piece in turn_pieces(turn))


def answer_html(events: list[Event]) -> str:
    return "".join(piece.html for piece in answer_pieces("t1", events, known(events)))


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
    chips = [attrs for attrs in shown.with_class("chip") if attrs["data-claim"] == "claim-1"]
    assert {attrs["data-ref"] for attrs in shown.with_class("chip")} == {"F1", "S1"}
    assert {(attrs["data-study"], attrs["data-frame"]) for attrs in chips} == {("study-1", "0")}
    ids = [attrs["id"] for _, attrs in shown.tags if "id" in attrs]
    assert {"t1-ev-D1", "t1-ev-F1", "t1-ev-M1", "t1-ev-S1"} <= set(ids)
    assert len(ids) == len(set(ids))
    links = [attrs for tag, attrs in shown.tags if tag == "a" and "target" in attrs]
    assert [link["href"] for link in links] == ["https://example.org/p?a=1&b=2"]
    assert all("noopener" in (link["rel"] or "") and "noreferrer" in (link["rel"] or "") for link in links)


def test_sentences_stand_in_their_verdict_and_withheld_ones_where_they_were(answered: list[Event]) -> None:
    html = answer_html(answered)
    assert len(re.findall(r'class="sentence sentence-supported"', html)) == 2
    assert html.index("signs of pneumonia") < html.index("withheld") < html.index("infection of the lung")
    assert html.count("(supported by its evidence)") == 2


def test_a_sentence_whose_evidence_does_not_decide_is_hedged(answered: list[Event]) -> None:
    events = [
        event.model_copy(
            update={"findings": tuple(f.model_copy(update={"decision": "indeterminate"}) for f in event.findings)}
        )
        if event.type == "tool_result"
        else event
        for event in answered
    ]
    assert 'class="sentence sentence-hedged"' in answer_html(events)
    assert "(its evidence does not decide)" in answer_html(events)


def test_the_quoted_sentence_is_marked_in_its_source(answered: list[Event]) -> None:
    html = next(piece.html for piece in pieces(answered) if piece.id == "t1-ev-S1")
    assert '<mark data-claims="claim-3">Pneumonia is an infection of the lung.</mark>' in html


def test_an_element_that_others_stand_in_never_changes(answered: list[Event]) -> None:
    seen: dict[str, str] = {}
    for n in range(len(answered) + 1):
        shown = pieces(answered[:n], "running" if n < len(answered) else "done")
        boxes = {piece.box for piece in shown}
        for piece in shown:
            if piece.id in boxes:
                assert seen.setdefault(piece.id, piece.html) == piece.html
        known_ids = set(re.findall(r'id="([^"]+)"', "".join(piece.html for piece in shown))) | {"current"}
        assert boxes <= known_ids


def test_every_sentence_can_be_judged_once_the_answer_is_there(answered: list[Event]) -> None:
    assert not [tag for tag, _ in page(answered[:-1], "running").tags if tag == "form"]
    forms = [attrs["data-claim"] for tag, attrs in page(answered).tags if tag == "form"]
    assert forms == ["claim-1", "claim-3"]


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
        assert not [tag for tag, attrs in page([event]).tags if tag == "a" and "target" in attrs], url


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
        "article", "mark", "form", "label", "input", "output", "h2", "h3", "span", "details", "summary", "ol", "ul",
        "li", "b", "section", "dl", "dt", "dd",
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


def test_each_id_of_a_group_is_a_chip_of_its_own() -> None:
    html = with_chips("All are alike [C1, C2].", {})
    assert html.count('class="chip"') == 2
    assert 'data-ref="C1"' in html
    text = re.sub("<[^>]*>", "", html)
    assert text == "All are alike C1 C2."
