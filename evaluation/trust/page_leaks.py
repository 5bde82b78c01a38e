"""Planted identity through the chat page's own routes, as its script calls them: a file is dropped, a question asked,
the stream of the page read, the picture and its layers fetched, the answer taken away in every form, the talk deleted.
"""

import io
import json
import threading
import time
from pathlib import Path
from typing import Any

from evaluation.trust.leaks import Planted

ANSWER_S = 300.0
"""Seconds that an answer may take."""


def page_said(client: Any, planted: Planted, file: Path) -> dict[str, str]:
    """What the page's routes of a running server answered, by what was asked for. ``client`` is an ``httpx.Client``.

    Raises ``TimeoutError`` for an answer that does not come to an end.
    """
    said: dict[str, str] = {}
    own = {"Origin": str(client.base_url).rstrip("/")}
    place = f"/page/{client.get('/page').json()['current']}"
    data = file.read_bytes()
    drop = json.dumps({"files": [[len(data), None]]}).encode() + b"\n" + data
    said["a dropped file"] = client.post(f"{place}/studies", content=drop, headers=own).text
    heard, hearing = _stream(client, f"{place}/stream")
    # The names of this request are the sender's; what the page shows of them is its own.
    asked = client.post(f"{place}/questions", json={"question": planted.question}, headers=own)
    said["a question"] = asked.text
    said["the answer taken away"] = _taken_away(client, f"{place}/turns/{asked.json()['turn']}/answer")
    viewer = client.get(f"{place}/viewer")
    said["the viewer"] = viewer.text + "\n".join(
        client.get(path).content.decode("latin-1") for path in _paths(viewer.json(), place)
    )
    said["the list of conversations"] = client.get("/page").text
    about = {"question": "", "age_band": planted.family, "view": planted.given}
    said["errors"] = "\n".join(
        one.text
        for one in (
            client.post(f"{place}/questions", json=about, headers=own),
            client.post(f"{place}/questions", content=planted.question.encode(), headers=own),
            client.post(f"{place}/studies", content=planted.question.encode(), headers=own),
            client.get(f"/page/{planted.family}/stream"),
            client.get(f"{place}/studies/{planted.family}/frames/0"),
        )
    )
    client.delete(place, headers=own)
    hearing.join(ANSWER_S)
    said["the stream of the page, from the question to the deletion"] = "".join(heard)
    return said


def _stream(client: Any, path: str) -> tuple[list[str], threading.Thread]:
    """Reads the page's events in a thread until the conversation is deleted."""
    heard: list[str] = []
    begun = threading.Event()

    def hear() -> None:
        with client.stream("GET", path) as answer:
            for line in answer.iter_lines():
                heard.append(f"{line}\n")
                begun.set()

    thread = threading.Thread(target=hear, daemon=True)
    thread.start()
    begun.wait(ANSWER_S)
    return heard, thread


def _taken_away(client: Any, path: str) -> str:
    """The answer in every form, once it is over."""
    from pypdf import PdfReader

    end = time.monotonic() + ANSWER_S
    while (told := client.get(f"{path}.json")).status_code == 409:
        if time.monotonic() > end:
            raise TimeoutError("the answer in the page came to no end")
        time.sleep(0.1)
    told.raise_for_status()
    forms = [told.text]
    for kind in ("txt", "md"):
        got = client.get(f"{path}.{kind}")
        got.raise_for_status()
        forms.append(_unpacked(got.content))
    made = client.get(f"{path}.pdf")
    made.raise_for_status()
    document = PdfReader(io.BytesIO(made.content))
    # The pages are packed: their words, and what the document says of itself.
    forms += [page.extract_text() for page in document.pages] + [str(document.metadata), made.content.decode("latin-1")]
    return "\n".join(forms)


def _unpacked(data: bytes) -> str:
    """A text, or the names and the contents of a zip."""
    import zipfile

    if not zipfile.is_zipfile(io.BytesIO(data)):
        return data.decode("utf-8", "replace")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return "\n".join(f"{name}\n{archive.read(name).decode('latin-1')}" for name in archive.namelist())


def _paths(told: Any, place: str) -> list[str]:
    """Every address of this conversation that the viewer was told."""
    if isinstance(told, str):
        return [told] if told.startswith(place) else []
    inner = told.values() if isinstance(told, dict) else told if isinstance(told, list) else ()
    return list(dict.fromkeys(path for one in inner for path in _paths(one, place)))
