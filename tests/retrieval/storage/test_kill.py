"""A writer that is killed at any moment leaves a base that opens, and that the next writer completes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from retrieval.cache import verify
from retrieval.storage import indexing
from retrieval.storage.base import StoredBase
from retrieval.storage.generations import current

WRITER = """
import sys
from pathlib import Path
import numpy as np
from retrieval.storage import indexing

class Encoder:
    def encode(self, texts):
        out = np.zeros((len(texts), 384), dtype=np.float32)
        out[:, 0] = 1
        return out

indexing.sentence_encoder = Encoder
indexing._SEGMENT = 20
base, documents = map(Path, sys.argv[1:])
print("ready", flush=True)
for line in sys.stdin:
    silent = lambda *_: None
    indexing.add(base, [documents], silent)
    indexing.fill(base, silent)
    print("done", flush=True)
"""
KILLS = 25


def silent(_stage: str, _done: int, _total: int) -> None:
    """No progress is shown."""


def start(base: Path, documents: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(base), str(documents)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def write_documents(folder: Path, number: int) -> None:
    for n in range(40):
        (folder / f"{n}.txt").write_text(f"Edition {number}\n\nThis is document d{n}x of edition e{number}x. " * 5)


def test_a_kill_at_any_moment_leaves_a_usable_base(base: Path, tmp_path: Path) -> None:
    documents = tmp_path / "many"
    documents.mkdir()
    write_documents(documents, 0)
    began = time.monotonic()
    indexing.add(base, [documents], silent)
    takes = time.monotonic() - began
    process = start(base, documents)
    editions = {0}
    for number in range(1, KILLS + 1):
        write_documents(documents, number)
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
        time.sleep(3 * takes * number / KILLS)
        process.send_signal(signal.SIGKILL)
        process.wait()
        folder = current(base)
        assert folder is not None
        verify(folder)
        opened = StoredBase.open(base)
        assert opened.search("goitre", dense=False)[0].title == "Goitre"
        texts = {opened.texts.text(facts.id) or "" for facts in opened.texts.all_facts()}
        there = {text.split()[1] for text in texts if text.startswith("Edition")}
        # A generation is whole: of one edition, or of files that were read before and after a kill.
        assert len([text for text in texts if text.startswith("Edition")]) == 40, there
        editions |= {int(edition) for edition in there}
        process = start(base, documents)
    assert process.stdin
    assert process.stdout
    process.stdin.write("go\n")
    process.stdin.close()
    assert process.stdout.readline() == "done\n"
    process.wait()
    opened = StoredBase.open(base)
    assert opened.vectors == opened.passages
    assert {one.name for one in base.iterdir()} == {"current", "generations", "lock"}
    assert len(list((base / "generations").iterdir())) == 1
    found = opened.search(f"edition e{KILLS}x", dense=False, k=100)
    assert sum(f"e{KILLS}x" in one.stored.text for one in found) == 40
    # The kills hit before and after a generation was made current: some editions came to be seen, some did not.
    assert 1 < len(editions) < KILLS
