import hashlib
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

Overread = Callable[..., "subprocess.CompletedProcess[str]"]
CONTENT = b"weights" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A catalogue whose models lie on a server here: the variables that make ``overread`` use it."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "w.pth").write_bytes(CONTENT)
    card = {
        "version": "1", "title": "A small one", "task": "segmentation", "domains": [], "architecture": "sam-vit-b",
        "labels": [{"name": "object"}], "training": [], "limits": [],
    }  # fmt: skip
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "shop"))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/w.pth"
        common = {
            "about": "A small one", "homepage": "https://host.example/small", "licence": "CC BY 4.0", "size": "7 kB",
            "checksums": "made here", "card": card,
        }  # fmt: skip
        entries = [
            common | {"name": "small", "files": [{"file": "w.pth", "url": url, "sha256": DIGEST}]},
            common | {"name": "unproved", "files": [{"file": "w.pth", "url": url}]},
            common | {"name": "gone", "files": [{"file": "w.pth", "url": url + "x", "sha256": DIGEST}]},
        ]
        (tmp_path / "catalogue.yaml").write_text(yaml.safe_dump(entries), "utf-8")
        yield {
            "OVERREAD_CATALOGUE": str(tmp_path / "catalogue.yaml"),
            "OVERREAD_MODELS": str(tmp_path / "models"),
            "OVERREAD_CACHE": str(tmp_path / "cache"),
        }
        server.shutdown()


def fails(done: "subprocess.CompletedProcess[str]", words: str) -> None:
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_pull_shows_the_licence_and_puts_the_model_in_place(overread: Overread, shop: dict[str, str]) -> None:
    fails(overread("models", "pull", "small", **shop), "under the licence CC BY 4.0 and takes 7 kB")
    done = overread("models", "pull", "small", "--yes", **shop)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("small is in place, and every SHA-256 is right (downloaded w.pth): ")
    assert "Licence  CC BY 4.0\nSize     7 kB" in done.stderr
    assert (Path(shop["OVERREAD_MODELS"]) / "small" / "w.pth").read_bytes() == CONTENT
    again = overread("models", "pull", "small", **shop)
    assert again.returncode == 0
    assert again.stdout.startswith("small is there already")
    listed = json.loads(overread("models", "list", "--json", **shop).stdout)
    assert "small" in [card["name"] for card in listed]


def test_pull_refuses_what_cannot_be_proved(overread: Overread, shop: dict[str, str], tmp_path: Path) -> None:
    fails(overread("models", "pull", "unproved", "--yes", **shop), "no SHA-256 is known of w.pth")
    fails(overread("models", "pull", "unproved", "--yes", "--sha256", "0" * 64, **shop), "SHA-256 differs")
    assert not list(Path(shop["OVERREAD_MODELS"]).rglob("w.pth*"))
    done = overread("models", "pull", "unproved", "--yes", "--sha256", f"w.pth={DIGEST}", **shop)
    assert done.returncode == 0, done.stderr
    fails(overread("models", "pull", "gone", "--yes", **shop), "the server answers 404")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nobody"], "there is no model of that name; there are: biomedclip"),
        (["small", "--sha256", "12"], "64 hexadecimal digits"),
        (["small", "--sha256", "other=" + "0" * 64], "does not have"),
        (["small", "--sha256", "0" * 64], "not the one in the catalogue"),
        (["small", "--from", "no-such-file"], "--from names no file"),
        (["torchxrayvision-all", "--yes"], "whole pickled program"),
        (["medsam", "--yes"], "no SHA-256 is known of medsam_vit_b.pth"),
    ],
)
def test_bad_arguments_are_one_line(overread: Overread, shop: dict[str, str], arguments: list[str], words: str) -> None:
    done = overread("models", "pull", *arguments, **shop)
    fails(done, words)
    assert done.stderr.count("\n") == 1


def test_what_can_be_pulled_is_listed_with_its_licence(overread: Overread) -> None:
    offered = json.loads(overread("models", "list", "--available", "--json").stdout)
    assert {"sam-vit-b", "medsam", "biomedclip", "torchxrayvision-all"} <= {one["name"] for one in offered}
    text = overread("models", "list", "--available").stdout
    assert all(one["licence"] in text for one in offered)
    assert "not known medsam_vit_b.pth" in text


def test_verify_tells_good_altered_missing_unknown_and_malformed(
    overread: Overread, shop: dict[str, str], tmp_path: Path
) -> None:
    assert overread("models", "verify").returncode == 0
    overread("models", "pull", "small", "--yes", **shop)
    models = Path(shop["OVERREAD_MODELS"])
    good = yaml.safe_load((models / "small" / "card.yaml").read_text("utf-8"))
    for name, changed in [("altered", {}), ("missing", {}), ("unknown", {"architecture": "oracle"})]:
        (models / name).mkdir()
        (models / name / "w.pth").write_bytes(CONTENT)
        (models / name / "card.yaml").write_text(yaml.safe_dump(good | {"name": name} | changed), "utf-8")
    (models / "altered" / "w.pth").write_bytes(b"other")
    (models / "missing" / "w.pth").unlink()
    (models / "malformed").mkdir()
    (models / "malformed" / "card.yaml").write_text("name: [", "utf-8")
    done = overread("models", "verify", "--json", **shop)
    assert done.returncode == 2
    states = {one["name"]: one["state"] for one in json.loads(done.stdout)}
    assert {name: states[name] for name in ("altered", "missing", "unknown", "malformed", "small")} == {
        "altered": "altered", "missing": "missing", "unknown": "unknown", "malformed": "malformed", "small": "good",
    }  # fmt: skip
    text = overread("models", "verify", **shop)
    assert "altered   altered 1 card altered: w.pth is not the file the card names" in text.stdout
    assert "good      domain-clip" in text.stdout
