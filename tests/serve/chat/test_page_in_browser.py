"""The page as a visitor meets it: a real server, a real browser, the real assistant."""

import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from serve.examples import EXAMPLES

SCAN, CAT = EXAMPLES[0], EXAMPLES[-1]
SCREENSHOTS = Path(__file__).parents[3] / "screenshots"
WAIT = 120_000
"""Most milliseconds a loaded machine may take for an answer."""


def ask(page: Any, question: str, *images: Path) -> None:
    if images:
        page.set_input_files("#opening [data-input=files]", [str(image) for image in images])
        page.wait_for_function(f"document.querySelectorAll('#opening .study').length === {len(images)}", timeout=WAIT)
        page.wait_for_selector("#opening .sending", state="hidden", timeout=WAIT)
    page.fill("#question textarea", question)
    page.click("button#ask")


def answer(page: Any) -> str:
    page.wait_for_selector("#current .turn-done", timeout=WAIT)
    page.wait_for_selector("button#ask")
    return str(page.inner_text("#current"))


def named(tmp_path: Path, source: Path, name: str) -> Path:
    path = tmp_path / name
    path.write_bytes(source.read_bytes())
    return path


def test_an_image_is_answered_with_steps_and_evidence(
    open_page: Callable[..., Any], chat_server: Any, tmp_path: Path
) -> None:
    page = open_page()
    ask(page, SCAN.question, named(tmp_path, SCAN.path(), "DOE_JANE"))
    text = answer(page)
    assert SCAN.question in text
    assert "not a medical device" in text
    page.click("#current .steps > summary")
    assert "Kind of image" in page.inner_text("#current .steps")
    assert "built-in composer, no language model" in page.inner_text("#engine")
    assert "DOE" not in page.content()
    assert chat_server.uploads() == []


def test_a_source_is_opened_by_its_chip(open_page: Callable[..., Any]) -> None:
    page = open_page()
    ask(page, "What is pneumonia?")
    answer(page)
    chip = page.locator("#current .answer .chip").first
    source = page.locator(f"#current [data-ev={chip.inner_text()}]")
    assert source.locator("blockquote").is_visible() is False
    chip.click()
    source.locator("blockquote").wait_for(state="visible")


def test_the_photograph_of_a_cat_is_refused(open_page: Callable[..., Any]) -> None:
    page = open_page()
    ask(page, CAT.question, CAT.path())
    answer(page)
    card = page.inner_text("#current .refusal")
    assert "this is not an image I know" in card
    assert "What would help" in card


def test_stop_ends_the_run(open_page: Callable[..., Any], slow_chat: tuple[Any, Any]) -> None:
    server, model = slow_chat
    page = open_page(server)
    assert "language model tiny" in page.inner_text("#engine")
    ask(page, "What is pneumonia?")
    model.wait_for_question()
    page.click("button#stop")
    page.wait_for_selector("#current .turn-stopped", timeout=WAIT)
    model.wait_for_hanging_up()
    assert "Stopped." in page.inner_text("#current")
    page.wait_for_selector("button#ask")


def test_a_page_that_is_closed_stops_its_run_after_a_while(
    open_page: Callable[..., Any], slow_chat: tuple[Any, Any]
) -> None:
    server, model = slow_chat
    page = open_page(server)
    ask(page, "What is pneumonia?")
    model.wait_for_question()
    page.close()
    model.wait_for_hanging_up()


def test_it_answers_only_to_its_own_name_and_keeps_to_itself(chat_server: Any) -> None:
    answer = httpx.get(chat_server.url)
    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert httpx.get(chat_server.url, headers={"Host": "elsewhere.example"}).status_code == 400


def test_two_visitors_never_see_each_other_and_forgetting_deletes(
    open_page: Callable[..., Any], chat_server: Any
) -> None:
    one, other = open_page(), open_page()
    ask(one, "What is pneumonia?")
    answer(one)
    assert "pneumonia?" not in other.inner_text("#talk")
    ask(other, "How sure is that?")
    answer(other)
    assert other.locator("#current .chip").count() == 0
    before = threads(chat_server.state)
    one.click("button#forget")
    one.wait_for_selector("#notice .notice")
    assert "What is pneumonia" not in one.content()
    assert len(threads(chat_server.state)) == len(before) - 1


def threads(state: Path) -> set[str]:
    with closing(sqlite3.connect(state / "threads.sqlite")) as connection:
        return {row[0] for row in connection.execute("SELECT DISTINCT thread_id FROM checkpoints")}


def test_what_is_typed_stays_text(open_page: Callable[..., Any]) -> None:
    page = open_page()
    typed = 'What is <img src=x onerror="document.title=1"> ${1+1} {{x}} pneumonia?'
    ask(page, typed)
    answer(page)
    assert typed in page.inner_text("#current .question")
    assert page.title() == "Overread"
    assert page.locator("#current img").count() == 0


def test_an_empty_question_is_asked_for(open_page: Callable[..., Any]) -> None:
    page = open_page()
    page.click("button#ask")
    page.wait_for_selector("#notice .notice")
    assert "Type a question first." in page.inner_text("#notice")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_the_width_in_light_and_dark(open_page: Callable[..., Any], width: int, scheme: str) -> None:
    page = open_page(width=width, scheme=scheme)
    ask(page, SCAN.question + " What is pneumonia?", SCAN.path())
    answer(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ink, paper = (page.evaluate(f"getComputedStyle(document.querySelector('{where}')).{what}") for where, what in
                  ((".question", "color"), ("body", "backgroundColor")))  # fmt: skip
    assert (brightness(ink) > brightness(paper)) is (scheme == "dark")
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"chat-{width}-{scheme}.png", full_page=True)


def brightness(colour: str) -> float:
    return sum(float(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")[:3])


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_server_that_is_ended_leaves_no_file(
    open_page: Callable[..., Any], start_server: Callable[..., Any], by: signal.Signals
) -> None:
    with start_server() as server:
        page = open_page(server)
        page.click("#opening .samples summary")
        page.click("[data-sample=head]")
        page.wait_for_selector("#opening .study", timeout=WAIT)
        (private,) = server.temporary.glob("overread-chat-*")
        assert private.stat().st_mode & 0o777 == 0o700
        assert len(server.uploads()) == 28
        code, err = server.end(by)
        assert (code, err) == (128 + by, "")
        assert list(server.temporary.glob("overread-chat-*")) == []
