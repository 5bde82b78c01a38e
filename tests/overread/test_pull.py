"""Pulling from a real HTTP server on loopback, which serves well, breaks off, lies or is not there."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from overread.cards import find_cards
from overread.catalogue import CatalogueEntry, check_address, read_catalogue
from overread.errors import CatalogueError, DownloadError
from overread.pull import present, pull
from overread.settings import Settings

CONTENT = bytes(range(256)) * 4096
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    server: "Server"

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        behaviour = self.path.split("/")[1]
        asked = self.headers.get("Range")
        self.server.requests.append((behaviour, asked))
        begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked and behaviour != "no-range" else 0
        if behaviour == "gone":
            self.send_error(404)
            return
        if behaviour in ("moved", "astray"):
            self.send_response(302)
            self.send_header("Location", "/good/w.bin" if behaviour == "moved" else "http://203.0.113.9/w.bin")
            self.end_headers()
            return
        if begin >= len(CONTENT):
            self.send_error(416)
            return
        body = CONTENT[begin:]
        if behaviour == "tampered":
            body = bytes([body[0] ^ 1]) + body[1:]
        if behaviour == "short":
            body = body[:-100]
        length = len(body) + (1000 if behaviour == "long" else 0)
        self.send_response(206 if begin else 200)
        if begin:
            start = begin - 1 if behaviour == "wrong-place" else begin
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        if behaviour != "no-length":
            self.send_header("Content-Length", str(length))
        self.end_headers()
        breaks = behaviour == "breaks-off" and not begin
        self.wfile.write(body[: len(body) // 2] if breaks else body)
        self.close_connection = True


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, str | None]] = []

    def url(self, behaviour: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{behaviour}/w.bin"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def where(tmp_path: Path) -> Settings:
    return Settings(models=tmp_path / "models", cache=tmp_path / "cache")


def entry(url: str | None, **changed: object) -> CatalogueEntry:
    file = {"file": "w.bin", "url": url, "bytes": len(CONTENT), "sha256": DIGEST} | changed
    return CatalogueEntry.model_validate(
        {
            "name": "small", "about": "A small one", "homepage": "https://host.example", "licence": "CC0",
            "size": "1 MB", "checksums": "made here", "files": [file],
            "card": {
                "version": "1", "title": "A small one", "task": "segmentation", "domains": [],
                "architecture": "sam-vit-b", "labels": [{"name": "object"}], "training": [], "limits": [],
            },
        }
    )  # fmt: skip


def quiet(_name: str, _got: int, _total: int | None) -> None:
    """Show nothing."""


def left(where: Settings) -> set[str]:
    assert where.models is not None
    return {path.name for path in where.models.rglob("*") if path.is_file()}


@pytest.mark.parametrize("behaviour", ["good", "no-length", "no-range", "moved"])
def test_a_model_is_put_in_place_with_its_card(server: Server, where: Settings, behaviour: str) -> None:
    told: list[tuple[int, int | None]] = []
    wanted = entry(server.url(behaviour))
    pulled = pull(wanted, where, lambda _, got, total: told.append((got, total)))
    assert pulled.fetched == ("w.bin",)
    assert left(where) == {"w.bin", "card.yaml"}
    assert find_cards(where)["small"].weights().read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert present(wanted, where) is not None


def test_a_file_that_is_there_is_used_with_no_network(where: Settings) -> None:
    assert where.models is not None
    wanted = entry("http://127.0.0.1:9/w.bin")
    (where.models / "small").mkdir(parents=True)
    (where.models / "small" / "w.bin").write_bytes(CONTENT)
    assert pull(wanted, where, quiet).fetched == ()
    assert present(wanted, where) is not None
    loose = wanted.model_copy(update={"name": "other"})
    (where.models / "w.bin").write_bytes(CONTENT)
    assert pull(loose, where, quiet).fetched == ()
    assert set(find_cards(where)) >= {"small", "other"}


def test_a_download_that_broke_off_goes_on_where_it_was(server: Server, where: Settings) -> None:
    with pytest.raises(DownloadError, match=r"broke off .* run the command again"):
        pull(entry(server.url("breaks-off")), where, quiet)
    assert left(where) == {"w.bin.part"}
    pull(entry(server.url("breaks-off")), where, quiet)
    assert server.requests == [("breaks-off", None), ("breaks-off", f"bytes={len(CONTENT) // 2}-")]
    assert left(where) == {"w.bin", "card.yaml"}


@pytest.mark.parametrize("behaviour", ["good", "no-range"])
def test_a_part_that_is_too_long_or_whole_is_dealt_with(server: Server, where: Settings, behaviour: str) -> None:
    assert where.models is not None
    home = where.models / "small"
    home.mkdir(parents=True)
    for there in (CONTENT, CONTENT + b"more", CONTENT[:1000]):
        (home / "w.bin").unlink(missing_ok=True)
        (home / "w.bin.part").write_bytes(there)
        pull(entry(server.url(behaviour)), where, quiet)
        assert left(where) == {"w.bin", "card.yaml"}
        (home / "w.bin").unlink()
        (home / "w.bin.part").write_bytes(there)
        pull(entry(server.url(behaviour), bytes=None), where, quiet)
        assert (home / "w.bin").read_bytes() == CONTENT


def test_a_part_of_another_file_is_removed_and_the_next_time_it_works(server: Server, where: Settings) -> None:
    assert where.models is not None
    home = where.models / "small"
    home.mkdir(parents=True)
    (home / "w.bin.part").write_bytes(b"another file")
    with pytest.raises(DownloadError, match="SHA-256 differs"):
        pull(entry(server.url("good")), where, quiet)
    assert left(where) == set()
    pull(entry(server.url("good")), where, quiet)
    assert left(where) == {"w.bin", "card.yaml"}


@pytest.mark.parametrize(
    ("behaviour", "message", "stays"),
    [
        ("tampered", "SHA-256 differs", set()),
        ("short", "the server offers", set()),
        ("long", "the server offers", set()),
        ("gone", "answers 404", set()),
    ],
)
def test_a_wrong_file_leaves_nothing(
    server: Server, where: Settings, behaviour: str, message: str, stays: set[str]
) -> None:
    with pytest.raises(DownloadError, match=message):
        pull(entry(server.url(behaviour)), where, quiet)
    assert left(where) == stays


@pytest.mark.parametrize(("behaviour", "message"), [("short", "SHA-256 differs"), ("long", "broke off")])
def test_a_wrong_length_is_seen_without_a_known_size(
    server: Server, where: Settings, behaviour: str, message: str
) -> None:
    with pytest.raises(DownloadError, match=message):
        pull(entry(server.url(behaviour), bytes=None), where, quiet)
    assert "w.bin" not in left(where)
    assert "card.yaml" not in left(where)


def test_more_than_was_said_is_not_taken(server: Server, where: Settings) -> None:
    with pytest.raises(DownloadError, match="sends more than"):
        pull(entry(server.url("no-length"), bytes=5000), where, quiet)
    assert left(where) == set()


def test_a_server_that_goes_on_from_another_place_is_refused(server: Server, where: Settings) -> None:
    assert where.models is not None
    (where.models / "small").mkdir(parents=True)
    (where.models / "small" / "w.bin.part").write_bytes(CONTENT[:500])
    with pytest.raises(DownloadError, match="another place"):
        pull(entry(server.url("wrong-place")), where, quiet)


def test_a_redirection_off_https_is_refused(server: Server, where: Settings) -> None:
    with pytest.raises(CatalogueError, match="only https"):
        pull(entry(server.url("astray")), where, quiet)


def test_a_server_that_is_not_there_is_a_download_error(where: Settings) -> None:
    with pytest.raises(DownloadError, match="broke off"):
        pull(entry("http://127.0.0.1:9/w.bin"), where, quiet)


def test_a_local_file_is_taken_only_with_the_right_checksum(where: Settings, tmp_path: Path) -> None:
    mine = tmp_path / "mine.bin"
    mine.write_bytes(b"something else")
    with pytest.raises(DownloadError, match="SHA-256 differs"):
        pull(entry(None), where, quiet, mine)
    assert left(where) == set()
    mine.write_bytes(CONTENT)
    pull(entry(None), where, quiet, mine)
    assert left(where) == {"w.bin", "card.yaml"}
    assert mine.read_bytes() == CONTENT


def test_a_checksum_that_is_not_known_must_be_given(where: Settings) -> None:
    unknown = entry("https://host.example/w.bin", sha256=None)
    assert unknown.unknown == ("w.bin",)
    with pytest.raises(CatalogueError, match="no SHA-256 is known"):
        pull(unknown, where, quiet)
    assert unknown.with_checksums({"w.bin": DIGEST}).unknown == ()
    with pytest.raises(CatalogueError, match="not the one in the catalogue"):
        entry("https://host.example/w.bin").with_checksums({"w.bin": "0" * 64})


@pytest.mark.parametrize(
    "url",
    ["http://host.example/w", "ftp://127.0.0.1/w", "file:///etc/passwd", "https://a:b@host.example/w", "w", "https://"],
)
def test_an_address_that_is_not_safe_is_refused(url: str) -> None:
    with pytest.raises(CatalogueError):
        check_address(url)


@pytest.mark.parametrize(
    "url", ["https://host.example/w", "http://127.0.0.1:8/w", "http://localhost/w", "http://[::1]/w"]
)
def test_https_and_this_machine_are_allowed(url: str) -> None:
    check_address(url)


def test_every_packaged_entry_makes_a_card_that_some_code_runs() -> None:
    from tools.concepts import concepts
    from tools.registry import ToolRegistry, known_architectures

    known = {concept.label for concept in concepts()}
    for name, one in read_catalogue(Settings()).items():
        assert one.convert or all(file.url and file.url.startswith("https://") for file in one.files)
        card = one.with_checksums(dict.fromkeys(one.unknown, "0" * 64)).model_card()
        assert (card.name, card.weights.licence) == (name, one.licence)
        assert card.architecture in known_architectures()
        assert card.architecture != "open-clip" or {label.name for label in card.labels} <= known
        from overread.cards import CardFile

        ToolRegistry({name: CardFile(card=card, folder=Path("nowhere"))})


def test_an_own_catalogue_comes_beside_the_packaged_one(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump([entry("https://host.example/w.bin").model_dump(mode="json")]), "utf-8")
    assert {"small", "sam-vit-b"} <= read_catalogue(Settings(catalogue=path)).keys()
    for wrong in ("[", "a: 1", "- {name: small}"):
        path.write_text(wrong, "utf-8")
        with pytest.raises(CatalogueError, match="OVERREAD_CATALOGUE"):
            read_catalogue(Settings(catalogue=path))
