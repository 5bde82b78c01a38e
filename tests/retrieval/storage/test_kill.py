"""A writer that is killed at any moment leaves a base that opens, and that the next writer completes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from retrieval.cache import verify
from retrieval.storage import indexing
from retrieval.storage.base import StoredBase
from retrieval.storage.generations import current

FORKER = """
import os, signal, sys
from pathlib import Path
import bm25s, faiss
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
for line in sys.stdin:
    child = os.fork()
    if not child:
        # By processor time, so that a busy machine does not move the moment. SIGPROF ends a process as SIGKILL does.
        signal.setitimer(signal.ITIMER_PROF, float(line))
        silent = lambda *_: None
        indexing.add(base, [documents], silent)
        indexing.fill(base, silent)
        os._exit(0)
    _, status, used = os.wait4(child, 0)
    print(status, used.ru_utime + used.ru_stime, flush=True)
"""
KILLS = 25


def silent(_stage: str, _done: int, _total: int) -> None:
    """No progress is shown."""


def write_documents(folder: Path, number: int) -> None:
    for n in range(40):
        (folder / f"{n}.txt").write_text(f"Edition {number}\n\nThis is document d{n}x of edition e{number}x. " * 5)


def test_a_kill_at_any_moment_leaves_a_usable_base(base: Path, tmp_path: Path) -> None:
    documents = tmp_path / "many"
    documents.mkdir()
    write_documents(documents, 0)
    indexing.add(base, [documents], silent)
    forker = subprocess.Popen(
        [sys.executable, "-c", FORKER, str(base), str(documents)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert forker.stdin
    assert forker.stdout

    def write(kill_after: float | None) -> float:
        """Have a process index the documents, and kill it after so many seconds of work; how much it worked."""
        forker.stdin.write(f"{kill_after or 0}\n")
        forker.stdin.flush()
        status, worked = forker.stdout.readline().split()
        assert int(status) in ((0,) if kill_after is None else (0, signal.SIGPROF))
        return float(worked)

    write_documents(documents, 1)
    takes = write(None)
    editions = {1}
    for number in range(2, KILLS + 2):
        write_documents(documents, number)
        write(1.3 * takes * number / KILLS)
        folder = current(base)
        assert folder is not None
        verify(folder)
        opened = StoredBase.open(base)
        assert opened.search("goitre", dense=False)[0].title == "Goitre"
        texts = [opened.texts.text(facts.id) or "" for facts in opened.texts.all_facts()]
        there = [int(text.split()[1]) for text in texts if text.startswith("Edition")]
        assert len(there) == 40
        editions |= set(there)
    write(None)
    forker.stdin.close()
    forker.wait()
    forker.stdout.close()
    opened = StoredBase.open(base)
    assert opened.vectors == opened.passages
    assert {one.name for one in base.iterdir()} == {"current", "generations", "lock"}
    assert len(list((base / "generations").iterdir())) == 1
    last = KILLS + 1
    found = opened.search(f"edition e{last}x", dense=False, k=100)
    assert sum(f"e{last}x" in one.stored.text for one in found) == 40
    # The kills fell before and after a generation was made current: some editions were seen, and some were not.
    assert 1 < len(editions) < KILLS
