"""The conversation as its reader meets it: steps, evidence, exports, history, a lost connection, no mouse, no sight."""

import io
import itertools
import json
import os
import socket
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from serve.examples import EXAMPLES

SCAN, CAT = EXAMPLES[0], EXAMPLES[-1]
SCREENSHOTS = Path(__file__).parents[3] / "screenshots"
WAIT = 120_000
QUESTION = "What kind of image is this? What is pneumonia?"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]


def ask(page: Any, question: str, *images: Path) -> None:
    if images:
        page.set_input_files("#opening [data-input=files]", [str(image) for image in images])
        page.wait_for_function(f"document.querySelectorAll('#opening .study').length === {len(images)}", timeout=WAIT)
        page.wait_for_selector("#opening .sending", state="hidden", timeout=WAIT)
    page.fill("#question textarea", question)
    page.click("button#ask")


def answered(page: Any, number: int = 1) -> Any:
    turn = page.locator(f"#current #t{number}.turn-done")
    turn.wait_for(timeout=WAIT)
    page.wait_for_selector("button#ask")
    return turn


def accessible(page: Any) -> None:
    """What axe finds against WCAG 2.1 AA, in words; nothing is expected."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page, options={"runOnly": {"type": "tag", "values": WCAG}, "resultTypes": ["violations"]})
    assert [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in found.response["violations"]] == []


def picture(page: Any, name: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"talk-{name}.png", full_page=True)


def taken(page: Any, turn: Any, name: str) -> bytes:
    with page.expect_download() as download:
        turn.get_by_role("link", name=name, exact=True).click()
    assert download.value.suggested_filename.startswith("overread-answer.")
    return Path(download.value.path()).read_bytes()


def test_an_answer_can_be_followed_checked_taken_away_and_asked_on(
    open_page: Callable[..., Any], chat_server: Any
) -> None:
    page = open_page()
    accessible(page)
    page.evaluate("document.addEventListener('overread:show', (e) => { if (e.detail.ref) window.shown = e.detail; })")
    ask(page, QUESTION, SCAN.path())
    turn = answered(page)
    # Steps with their time and how they ended, in words too.
    turn.locator(".steps > summary").click()
    steps = turn.locator(".step").all_inner_texts()
    assert any("Kind of image" in step and " s" in step for step in steps)
    assert all(step.split(":")[0].strip(" ✓–✕\n") in {"done", "left out", "failed", "not available"} for step in steps)
    assert "built-in composer, no language model" in page.inner_text("#engine")
    # How a sentence stands is said, not only coloured.
    assert turn.locator(".sentence-supported .sr").first.text_content() == " (supported by its evidence)"
    assert turn.locator(".sentence-supported .verdict").first.text_content() == "✓"
    # A chip of what was seen shows it; one of a source opens it at the quoted sentence.
    turn.locator(".answer .chip[data-ref=D1]").first.click()
    shown = page.evaluate("window.shown")
    assert (shown["ref"], shown["frame"]) == ("D1", 0)
    assert shown["study"]
    assert turn.locator("[data-ev=D1].lit").count() == 1
    sentence = turn.locator(".sentence:has(.chip[data-ref=S1])").nth(1)
    sentence.locator(".chip").click()
    assert turn.locator(".passage").first.get_attribute("open") is not None
    quoted = turn.locator("mark.lit").inner_text()
    assert quoted == "Bacteria, viruses and, less often, fungi cause it."
    assert turn.locator(".lit").count() == 1
    accessible(page)
    picture(page, "answer")
    # Copied with its sources.
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    turn.get_by_role("button", name="Copy").click()
    page.wait_for_selector("#notice .notice")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "[S1] Pneumonia: What it is." in copied
    # Taken away: each with the evidence, and the image.
    pdf = PdfReader(io.BytesIO(taken(page, turn, "PDF")))
    text = " ".join(" ".join(one.extract_text() for one in pdf.pages).split())
    assert "Evidence of every sentence" in text
    assert "CT slice of the abdomen" in text
    assert sum(len(one.images) for one in pdf.pages) == 1
    archive = zipfile.ZipFile(io.BytesIO(taken(page, turn, "Markdown")))
    assert archive.namelist() == ["report.md", "figure-1.png"]
    events = json.loads(taken(page, turn, "JSON"))["events"]
    assert [event["type"] for event in events][-1] == "done"
    # Judged: a line without anybody in it.
    turn.locator(".checks > summary").click()
    form = turn.locator(".checks form").first
    form.locator("input").fill("John Smith had another opinion")
    form.get_by_role("button", name="Wrong").click()
    page.wait_for_function("document.querySelector('.checks output').textContent.startsWith('Kept')")
    (line,) = (chat_server.state / "feedback.jsonl").read_text("utf-8").splitlines()[-1:]
    assert json.loads(line)["correct"] is False
    assert "Smith" not in line
    # Asked on: what is offered is answered, and the same can be asked again, of the same image.
    suggested = turn.locator(".next button").all_inner_texts()
    assert 2 <= len(suggested) <= 3
    turn.locator(".next button").first.click()
    for number, question in enumerate(suggested, start=2):
        if number > 2:
            ask(page, question)
        answer = answered(page, number)
        assert question in answer.inner_text()
        assert answer.locator(".refusal").count() == 0, question
        assert answer.locator(".answer .chip").count() >= 1, question
    page.locator("#t1 [data-do=again]").click()
    again = answered(page, len(suggested) + 2)
    assert "1 image" in again.inner_text()
    assert "asked again" in again.inner_text()


def test_a_refusal_says_why_what_is_missing_and_what_to_do(open_page: Callable[..., Any]) -> None:
    page = open_page(scheme="dark")
    accessible(page)
    ask(page, CAT.question, CAT.path())
    answered(page)
    card = page.inner_text("#current .refusal")
    for part in ("Why", "What is missing", "What would help"):
        assert part in card
    accessible(page)
    page.click("#history-open")
    page.wait_for_selector("#history[open]")
    accessible(page)
    page.keyboard.press("Escape")
    picture(page, "refusal")


def test_it_can_be_used_without_a_mouse_and_at_any_size(open_page: Callable[..., Any]) -> None:
    page = open_page(width=390)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.type("What is pneumonia?")
    page.keyboard.press("Enter")
    turn = answered(page)
    assert page.evaluate("document.activeElement.closest('#question') !== null")
    said = page.inner_text("#said")
    assert "supported by its evidence" in said or page.wait_for_function(
        "document.getElementById('said').textContent.includes('Research use')"
    )
    for _ in range(60):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.matches('.answer .chip')"):
            break
    page.keyboard.press("Enter")
    assert turn.locator("mark.lit").count() == 1
    assert page.evaluate("document.activeElement.tagName") == "BLOCKQUOTE"
    accessible(page)
    headings = page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4')].filter((h) => h.checkVisibility()).map((h) => +h.tagName[1])"
    )
    assert headings[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(headings))
    for width in (320, 390, 640):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    picture(page, "phone")


def threads(state: Path) -> set[str]:
    if not (state / "threads.sqlite").exists():
        return set()
    with closing(sqlite3.connect(state / "threads.sqlite")) as connection:
        return {row[0] for row in connection.execute("SELECT DISTINCT thread_id FROM checkpoints")}


def test_conversations_are_found_again_and_deletion_deletes(open_page: Callable[..., Any], chat_server: Any) -> None:
    page = open_page()
    before = threads(chat_server.state)
    ask(page, "What is pneumonia?")
    answered(page)
    page.click("#history-new")
    page.wait_for_selector("#talk-welcome:visible")
    ask(page, "What is glaucoma?", SCAN.path())
    answered(page)
    # A reload and a second tab of the same browser find both.
    page.reload()
    page.wait_for_selector("#current .turn-done")
    tab = page.context.new_page()
    tab.goto(chat_server.url)
    tab.wait_for_selector("#current .turn-done")
    tab.click("#history-open")
    tab.wait_for_selector("#history[open]")
    names = tab.locator(".history-name").all_inner_texts()
    assert ["glaucoma" in names[0], "pneumonia" in names[1], len(names)] == [True, True, 2]
    picture(tab, "history")
    # Another browser finds none of it, whatever it knows.
    other = open_page()
    key = page.evaluate("document.documentElement.dataset.conversation")
    for what in ("stream", "turns/1/answer.json", "studies", "viewer"):
        assert other.request.get(f"{chat_server.url}/page/{key}/{what}").status == 404
    other.click("#history-open")
    other.wait_for_selector("#history[open]")
    assert other.locator(".history-name").all_inner_texts() != names
    assert len(threads(chat_server.state) - before) == 2
    folders = {path.name for path in chat_server.temporary.glob("overread-chat-*/session-*")}
    # One is deleted; the other opens.
    tab.get_by_role("button", name="Delete: What is glaucoma?").click()
    page.wait_for_function("document.querySelector('#current .question')?.textContent.includes('pneumonia')")
    assert len(threads(chat_server.state) - before) == 1
    assert len(folders - {path.name for path in chat_server.temporary.glob("overread-chat-*/session-*")}) == 1
    tab.click("#history-all")
    tab.wait_for_selector("#history", state="hidden")
    assert threads(chat_server.state) == before
    page.wait_for_selector("#talk-welcome:visible")
    words = b"".join(path.read_bytes() for path in chat_server.state.glob("threads.sqlite*"))
    assert b"glaucoma" not in words


def test_a_running_answer_is_found_by_a_reload_and_stopped(
    open_page: Callable[..., Any], slow_chat: tuple[Any, Any]
) -> None:
    server, model = slow_chat
    page = open_page(server)
    ask(page, "What is pneumonia?")
    model.wait_for_question()
    page.reload()
    page.wait_for_selector("#current .turn-running .step-ok")
    tab = page.context.new_page()
    tab.goto(server.url)
    tab.wait_for_selector("#current .turn-running .step-ok")
    tab.click("button#stop")
    page.wait_for_selector("#current .turn-stopped")
    model.wait_for_hanging_up()


def test_a_server_that_is_started_anew_is_found_again(
    open_page: Callable[..., Any], start_server: Callable[..., Any]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    with start_server(port) as server:
        page = open_page(server)
        ask(page, "What is pneumonia?")
        answered(page)
    page.wait_for_selector("#offline:visible")
    assert "Trying again" in page.inner_text("#offline")
    page.fill("#question textarea", "What is glaucoma?")
    page.click("button#ask")
    page.wait_for_selector("#notice .notice")
    assert page.input_value("#question textarea") == "What is glaucoma?"
    picture(page, "offline")
    with start_server(port):
        page.wait_for_selector("#offline", state="hidden", timeout=WAIT)
        assert "started anew" in page.inner_text("#notice")
        page.wait_for_selector("#talk-welcome:visible")
        page.click("button#ask")
        answered(page)
        assert "glaucoma" in page.inner_text("#current .question")


def test_the_page_is_painted_before_its_framework_has_started(open_page: Callable[..., Any], chat_server: Any) -> None:
    page = open_page()
    page.add_init_script(
        "new MutationObserver((_, watch) => { if (document.querySelector('button#ask'))"
        " { window.drawn = performance.now(); watch.disconnect(); } })"
        ".observe(document, { childList: true, subtree: true });"
    )
    page.reload()
    page.wait_for_selector("html[data-conversation]")
    painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    assert painted < page.evaluate("window.drawn")
    if os.environ.get("OVERREAD_TIMED"):
        assert painted < 1000
