"""Dropping a study, as a visitor does it: a real server, a real browser, every kind of file."""

import http.client
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread, dcmwrite

from serve.chat.cookie import COOKIE
from serve.examples import EXAMPLES
from serve.phantoms import NAME, NUMBER, head_slices

WAIT = 120_000
"""Most milliseconds a loaded machine may take."""
SCREENSHOTS = Path(__file__).parents[3] / "screenshots"
CARD, FAULT = "#opening .study", "#opening .unopened"
PLANTED = ("DOE", "Jane", "Phantom", NUMBER, NAME)


@pytest.fixture(scope="module")
def small_chat(start_server: Callable[..., Any]) -> Iterator[Any]:
    """A page that takes at most 5 MB a file and 12 MB at once."""
    with start_server(OVERREAD_MAX_FILE_BYTES="5000000", OVERREAD_PAGE_VISITOR_BYTES="12000000") as server:
        yield server


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One of every kind, named like a patient, with a patient's name in all that can hold one."""
    folder = tmp_path_factory.mktemp("DOE_JANE")
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 255, (80, 60, 3), np.uint8))
    exif = Image.Exif()
    exif[0x010E] = "Jane Doe"
    picture.save(folder / "DOE_JANE.jpg", exif=exif)
    picture.save(folder / "DOE_JANE.png")
    film = dcmread(EXAMPLES[0].path())
    film.PatientName = "Doe^Jane"
    dcmwrite(folder / "DOE_JANE.dcm", film)
    volume = nib.Nifti1Image(
        np.random.default_rng(1).integers(0, 500, (40, 50, 7)).astype(np.int16), np.diag([1, 1, 3, 1])
    )
    volume.header.set_xyzt_units("mm")
    volume.header["descrip"] = b"Doe Jane"
    nib.save(volume, folder / "DOE_JANE.nii.gz")
    slices = list(head_slices())
    (folder / "DOE_SERIES").mkdir()
    for n, data in enumerate(slices):
        (folder / "DOE_SERIES" / f"DOE_{n}.dcm").write_bytes(data)
    (folder / "DOE_SERIES" / ".DS_Store").write_bytes(b"x")
    with zipfile.ZipFile(folder / "DOE_JANE.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for n, data in enumerate(slices[:9]):
            archive.writestr(f"DOE_{n}", data)
    (folder / "DOE_BROKEN.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 50)
    (folder / "DOE_TEXT.dcm").write_text("Jane Doe, born in 1961")
    (folder / "DOE_LARGE.dcm").write_bytes(os.urandom(5_000_001))
    return {path.name.removeprefix("DOE_"): path for path in folder.iterdir()}


def drop(page: Any, *paths: Path, into: str = "files") -> None:
    page.set_input_files(
        f"#opening [data-input={into}]", [str(path) for path in paths] if into == "files" else paths[0]
    )


def settled(page: Any, cards: int, faults: int = 0) -> list[str]:
    """Wait until all is opened; the words of the cards."""
    counts = "([where, count]) => document.querySelectorAll(where).length === count"
    for where, count in ((CARD, cards), (FAULT, faults)):
        page.wait_for_function(counts, arg=[where, count], timeout=WAIT)
    page.wait_for_selector("#opening .sending", state="hidden", timeout=WAIT)
    return [" ".join(text.split()) for text in page.locator(CARD).all_inner_texts()]


def test_every_kind_of_file_is_a_card_before_any_question(
    open_page: Callable[..., Any], small_chat: Any, files: dict[str, Path]
) -> None:
    page = open_page(small_chat)
    page.evaluate(
        """() => { window.progress = []; new MutationObserver(() => window.progress.push(
        document.getElementById('opening-progress').textContent)).observe(
        document.getElementById('opening-progress'), {childList: true}); }"""
    )
    kinds = ("JANE.dcm", "BROKEN.png", "JANE.nii.gz", "JANE.png", "TEXT.dcm", "JANE.jpg", "JANE.zip")
    drop(page, *(files[name] for name in kinds))
    dicom, nifti, png, jpeg, archive = settled(page, 5, 2)
    assert re.search(
        r"Image 1: CT .*128 x 128 pixels.*spacing 0.661 x 0.661 mm.*Privacy: \d+ header values removed", dicom
    )
    assert "7 frames" in nifti
    assert "spacing 1 x 1 mm" in nifti
    assert "60 x 80 pixels, spacing not known" in png
    assert "1 header value removed" in jpeg
    assert "9 slices" in archive
    broken, text = page.locator(FAULT).all_inner_texts()
    assert "File 2 of 7" in broken
    assert "What to do: Save or copy it again." in broken
    assert "The file is text" in text
    assert page.inner_text("#opening .said") == "5 images open. Ask about them. 2 files could not be opened; see below."
    said = page.evaluate("window.progress")
    assert any(re.fullmatch(r"Sending .* kB: 100 %…", line) for line in said)
    assert "Opening 7 of 7…" in said
    shown = "[...document.querySelectorAll('#opening .look img')].every((img) => img.complete && img.naturalWidth > 0)"
    page.wait_for_function(shown, timeout=WAIT)
    assert not [value for value in PLANTED if value in page.content()]
    assert small_chat.uploads() == []

    # By keyboard: every card has a button that takes it away, and the focus goes on to the next.
    page.focus("#opening .study .remove")
    for left in (4, 3, 2, 1, 0):
        page.keyboard.press("Enter")
        settled(page, left, 2)
        page.wait_for_function("document.activeElement.matches('#opening .remove, #opening [data-pick]')")
    page.focus(f"{FAULT} .remove")
    page.keyboard.press("Enter")
    settled(page, 0, 1)


def test_slices_are_one_study_from_a_folder_or_loose_and_its_files_go_with_it(
    open_page: Callable[..., Any], small_chat: Any, files: dict[str, Path]
) -> None:
    page = open_page(small_chat)
    drop(page, files["SERIES"], into="folder")
    (card,) = settled(page, 1)
    assert "28 slices" in card
    assert len(small_chat.uploads()) == 28
    loose = sorted(files["SERIES"].glob("DOE*"))
    drop(page, *loose[:5], files["JANE.png"], *loose[5:12])
    _, series, picture = settled(page, 3)
    assert "12 slices" in series
    assert "picture" in picture
    assert len(small_chat.uploads()) == 40
    assert not [value for value in ("DOE", NUMBER, NAME) if any(value in str(path) for path in small_chat.uploads())]
    page.locator("#opening .remove").first.click()
    settled(page, 2)
    assert len(small_chat.uploads()) == 12

    # Three series are more than the page may hold: the oldest goes, and its files with it.
    for _ in range(3):
        drop(page, *loose)
    page.wait_for_function("document.querySelector('#opening .said').textContent.includes('put away')", timeout=WAIT)
    page.wait_for_selector("#opening .sending", state="hidden", timeout=WAIT)
    assert sum(path.stat().st_size for path in small_chat.uploads()) <= 12_000_000
    page.click("button#forget")
    settled(page, 0)
    assert small_chat.uploads() == []


def test_a_sample_brings_its_question_and_is_asked_about(open_page: Callable[..., Any], small_chat: Any) -> None:
    page = open_page(small_chat, width=390, scheme="dark")
    page.click("#opening .samples summary")
    page.click("[data-sample=film]")
    (card,) = settled(page, 1)
    assert "X-ray (CR)" in card
    assert "1 burned-in region masked" in card
    assert page.input_value("#question textarea") == "What kind of image is this, and how is a pneumonia confirmed?"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "opening-390-dark.png", full_page=True)
    page.click("button#ask")
    page.wait_for_selector("#current .turn-done", timeout=WAIT)
    page.wait_for_selector("#opening .asked")
    assert "chest X-ray" in page.inner_text("#current")
    assert "1 image" in page.inner_text("#current .question")
    assert not [value for value in PLANTED if value in page.content()]
    page.reload()
    page.wait_for_selector("#opening .asked")
    page.click("button#forget")
    settled(page, 0)


def test_what_is_too_large_or_lost_is_told_and_not_sent(
    open_page: Callable[..., Any], small_chat: Any, files: dict[str, Path]
) -> None:
    page = open_page(small_chat)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    drop(page, files["LARGE.dcm"])
    settled(page, 0, 1)
    words = page.inner_text(FAULT)
    assert "larger than 4.77 MB, the most one file may have" in words
    assert "Nothing of it was sent" in words
    assert not [url for url in sent if url.endswith("/studies")]
    drop(page, files["LARGE.dcm"], files["JANE.png"])
    settled(page, 1, 1)

    page.route("**/page/*/studies", lambda route: route.abort() if route.request.method == "POST" else route.fallback())
    drop(page, files["JANE.jpg"])
    page.wait_for_function(f"document.querySelector('{FAULT}')?.textContent.includes('connection')", timeout=WAIT)
    assert "then drop the files again" in page.inner_text(FAULT)
    settled(page, 1, 1)
    page.unroute("**/page/*/studies")
    assert small_chat.uploads() == []


def test_files_dropped_anywhere_and_folders_are_gathered(
    open_page: Callable[..., Any], small_chat: Any, files: dict[str, Path]
) -> None:
    page = open_page(small_chat)
    page.wait_for_selector("#opening")
    page.evaluate(
        """(bytes) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(bytes)], "DOE_JANE.png"));
          const options = { bubbles: true, cancelable: true, dataTransfer: transfer };
          document.body.dispatchEvent(new DragEvent("dragover", options));
          if (!document.getElementById("opening").classList.contains("over")) throw new Error("not shown");
          document.body.dispatchEvent(new DragEvent("drop", options));
        }""",
        list(files["JANE.png"].read_bytes()),
    )
    settled(page, 1)
    gathered = page.evaluate(
        """async () => {
          const { fromDrop } = await import("/chat/static/gathering.js");
          const file = (name) => ({ isFile: true, name, file: (done) => done(new File(["x"], name)) });
          const folder = (name, inside) => ({ isDirectory: true, name, createReader: () => {
            const parts = [inside.slice(0, 2), inside.slice(2), []];
            return { readEntries: (done) => done(parts.shift()) };
          }});
          const items = [folder("a", [file("1"), file(".hidden"), folder("b", [file("2")])]), file("3"),
            folder("c", [file("4"), file("Thumbs.db")])];
          const dropped = items.map((entry) => ({ kind: "file", webkitGetAsEntry: () => entry }));
          const found = await fromDrop({ items: dropped });
          return found.map(({ file, folder }) => [file.name, folder]);
        }"""
    )
    assert gathered == [["1", 0], ["2", 0], ["3", None], ["4", 1]]


def _announced(url: str, place: str, size: int, headers: dict[str, str]) -> int:
    """The status that an upload gets of which only the size was told."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    connection.putrequest("POST", place)
    for name, value in {**headers, "Content-Length": str(size)}.items():
        connection.putheader(name, value)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


def test_the_routes_answer_the_visitor_of_this_page_alone(small_chat: Any, files: dict[str, Path]) -> None:
    data = files["JANE.png"].read_bytes()
    body = json.dumps({"files": [[len(data), None]]}).encode() + b"\n" + data
    own = {"Origin": small_chat.url}
    with httpx.Client(base_url=small_chat.url, trust_env=False, timeout=120) as one:
        place = f"/page/{one.get('/page').json()['current']}/studies"
        lines = [json.loads(line) for line in one.post(place, content=body, headers=own).text.splitlines()]
        assert [line["type"] for line in lines] == ["received", "opening", "study", "end"]
        handle = lines[2]["card"]["handle"]
        picture = one.get(f"{place}/{handle}/thumbnail.png")
        assert picture.headers["Content-Type"] == "image/png"
        assert picture.headers["Cache-Control"] == "private, no-store"
        assert Image.open(BytesIO(picture.content)).size == (60, 80)
        for method, path in (
            ("GET", place),
            ("GET", f"{place}/{handle}/thumbnail.png"),
            ("DELETE", f"{place}/{handle}"),
        ):
            assert httpx.request(method, small_chat.url + path, headers=own, trust_env=False).status_code in (403, 404)
            with httpx.Client(base_url=small_chat.url, trust_env=False) as other:
                other.get("/page")
                assert other.request(method, path, headers=own).status_code == 404
        for headers in ({}, {"Origin": "https://evil.example"}, {**own, "Sec-Fetch-Site": "cross-site"}):
            assert one.delete(f"{place}/{handle}", headers=headers).status_code == 403
            assert one.post(place, content=body, headers=headers).status_code == 403
        assert one.post(place, content=iter([body]), headers=own).status_code == 411
        assert _announced(small_chat.url, place, 10**9, {**own, "Cookie": f"{COOKIE}={one.cookies[COOKIE]}"}) == 413
        assert one.post(place, content=body[:-1], headers=own).json() == {
            "what": "The upload did not arrive whole.", "todo": "Drop it again.",
        }  # fmt: skip
        assert one.post(f"/page/{'0' * 32}/studies", content=body, headers=own).status_code == 404
        assert one.post(place.replace("studies", "samples/none"), headers=own).status_code == 404
        assert one.get(place.replace("studies", "samples/film")).status_code in (404, 405)
        assert one.delete(f"{place}/{handle}", headers=own).json()["studies"] == []
        assert one.delete(f"{place}/{handle}", headers=own).status_code == 404
    assert small_chat.uploads() == []
