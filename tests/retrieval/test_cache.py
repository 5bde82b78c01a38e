import threading
from pathlib import Path

import pytest

from retrieval.cache import MANIFEST, load_or_build, publish, verify
from retrieval.errors import IndexCacheError


def save(text: str, folder: Path) -> None:
    (folder / "text").write_text(text)


def load(folder: Path) -> str:
    return (folder / "text").read_text()


def test_what_was_built_is_loaded_the_next_time(tmp_path: Path) -> None:
    built = []

    def build() -> str:
        built.append(1)
        return "index"

    assert load_or_build(tmp_path / "a", build, save, load) == "index"
    assert load_or_build(tmp_path / "a", build, save, load) == "index"
    assert built == [1]


@pytest.mark.parametrize("damage", ["truncate", "change", "remove", "extra", "manifest", "no manifest", "version"])
def test_a_damaged_folder_is_found_and_built_again(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "a"
    publish(folder, lambda target: save("first", target))
    manifest = folder / MANIFEST
    match damage:
        case "truncate":
            (folder / "text").write_text("")
        case "change":
            (folder / "text").write_text("fIrst")
        case "remove":
            (folder / "text").unlink()
        case "extra":
            (folder / "more").write_text("x")
        case "manifest":
            manifest.write_text("{not json")
        case "no manifest":
            manifest.unlink()
        case "version":
            manifest.write_text(manifest.read_text().replace('"version": 1', '"version": 0'))
    with pytest.raises(IndexCacheError):
        verify(folder)
    assert load_or_build(folder, lambda: "second", save, load) == "second"
    verify(folder)
    assert load(folder) == "second"


def test_a_writer_that_was_killed_leaves_nothing_that_counts(tmp_path: Path) -> None:
    def killed(target: Path) -> None:
        save("half", target)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish(tmp_path / "a", killed)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".a-left-by-a-kill").mkdir()
    assert load_or_build(tmp_path / "a", lambda: "whole", save, load) == "whole"


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert load_or_build(tmp_path / "file" / "a", lambda: "index", save, load) == "index"


def test_many_writers_leave_one_whole_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    found: list[str] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        found.append(load_or_build(folder, lambda: "index", save, load))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["index"] * 8
    verify(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
