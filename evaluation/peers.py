"""The streaming gate beside NeMo Guardrails and guardrails-ai: the same streams, each with a detector that knows all.

Run ``python -m evaluation.peers FOLDER [--install]`` where FOLDER is ``shared/data/phi``. Clinical queries in a row go
in token by token; every contender is told the values that may not come out, so that only how it cuts the stream is
measured. Each peer runs as a script in an environment of its own under the cache folder, made when asked, at the
versions of ``data/peers/peers.yaml``: guardrails-ai installs a package named like ours.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.figure import Figure, as_lines, at_most, share
from evaluation.identity_texts import Marked, read_asq
from guardrails.gate import Gate
from guardrails.ledger import Ledger
from guardrails.phi.identity import Identity
from guardrails.phi.spans import Span, merge
from guardrails.phi.text import TextDetector
from overread.packaged import packaged_text, packaged_yaml
from overread.settings import settings

MARKER = "[REMOVED]"
TOGETHER = 8
"""Queries in one stream: longer than the 200 tokens that NeMo Guardrails looks at together."""
INSTALL_S = RUN_S = 900
_TOKEN = re.compile(r"\s*\w{1,4}|\s*[^\w\s]|\s+")
"""About what a language model's tokens are."""


@dataclass(frozen=True)
class Stream:
    """A text token by token, with the stretches of it that may not come out."""

    text: str
    tokens: tuple[str, ...]
    entities: tuple[tuple[int, int], ...]

    @property
    def values(self) -> list[str]:
        """What a detector that knows all looks for."""
        return sorted({self.text[a:b] for a, b in self.entities})


@dataclass(frozen=True)
class Passed:
    """What a contender let out of a stream: pieces, each with how many tokens had gone in; seconds of its work."""

    shown: tuple[tuple[int, str], ...]
    seconds: float


@dataclass(frozen=True)
class Peer:
    """A contender that runs elsewhere."""

    title: str
    package: str
    version: str
    script: str
    arguments: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where its environment is."""
        return settings().cache / "peers" / f"{self.package}-{self.version}"

    @property
    def python(self) -> Path:
        """The interpreter of its environment."""
        return self.folder / "bin" / "python"


class ExactDetector(TextDetector):
    """Knows every value; as good as a detector can be."""

    def __init__(self, values: Iterable[str]) -> None:
        super().__init__()
        self._values = [re.compile(re.escape(value)) for value in values]

    def spans(self, text: str, within: tuple[int, int] | None = None) -> list[Span]:
        """Where the values stand. Their kind has no marker of its own."""
        del within
        return merge(Span(*match.span(), "value") for value in self._values for match in value.finditer(text))


def streams(rows: Sequence[Marked]) -> list[Stream]:
    """Queries in a row, eight a stream. An entity is each place at which one of the stream's values stands."""
    made = []
    for begin in range(0, len(rows), TOGETHER):
        some = rows[begin : begin + TOGETHER]
        text = " ".join(row.text for row in some)
        values = {row.text[a:b] for row in some for a, b, _ in row.entities}
        found = merge(Span(*m.span(), "value") for value in values for m in re.finditer(re.escape(value), text))
        made.append(Stream(text, tuple(_TOKEN.findall(text)), tuple((one.start, one.end) for one in found)))
    return made


def by_gate(stream: Stream) -> Passed:
    """What the gate's identity stage lets out, whether or not the claim in it is then withheld."""
    gate = Gate(Identity(), Ledger(), ExactDetector(stream.values))
    shown: list[tuple[int, str]] = []
    begun = time.process_time()
    for gone, token in enumerate(stream.tokens, start=1):
        shown += [(gone, one.claim.text) for one in gate.feed(token) if one.claim is not None]
    shown += [(len(stream.tokens), one.claim.text) for one in gate.finish() if one.claim is not None]
    return Passed(tuple(shown), time.process_time() - begun)


def by_peer(peer: Peer, some: Sequence[Stream]) -> list[Passed]:
    """What a peer lets out of each stream. Its environment must be there."""
    script = packaged_text("evaluation", f"data/peers/{peer.script}")
    copy = peer.folder / peer.script
    copy.write_text(script, encoding="utf-8")
    lines = "".join(json.dumps({"tokens": one.tokens, "values": one.values}) + "\n" for one in some)
    command = [str(peer.python), "-I", str(copy), *peer.arguments]
    told = subprocess.run(
        command, input=lines, check=True, capture_output=True, text=True, cwd=peer.folder, timeout=RUN_S
    )
    read = [json.loads(line) for line in told.stdout.splitlines()]
    return [Passed(tuple((gone, text) for gone, text in one["shown"]), one["seconds"]) for one in read]


def let_out(stream: Stream, shown: str) -> list[int]:
    """How many letters and digits of each entity are in what was shown. White space is not looked at.

    What was shown is the stream with markers in it. A marker stands for one value, or for one entity.
    """
    at = [i for i, char in enumerate(stream.text) if not char.isspace()]
    squeezed = "".join(stream.text[i] for i in at)
    place = {offset: n for n, offset in enumerate(at)}
    ends = {place[a]: place[b - 1] + 1 for a, b in stream.entities}
    values = {"".join(value.split()) for value in stream.values}
    paths: dict[int, tuple[tuple[int, int], ...]] = {0: ()}
    for number, piece in enumerate(shown.split(MARKER)):
        wanted = "".join(piece.split())
        begins: dict[int, tuple[tuple[int, int], ...]] = {}
        for behind, path in paths.items():
            skipped = {behind} if number == 0 else {behind + len(v) for v in values if squeezed.startswith(v, behind)}
            skipped |= {ends[behind]} if number and behind in ends else set()
            begins |= {begin: path for begin in skipped if squeezed.startswith(wanted, begin)}
        paths = {begin + len(wanted): (*path, (begin, begin + len(wanted))) for begin, path in begins.items()}
    if not paths:
        raise RuntimeError("what was shown is not the stream with markers in it; what came out cannot be counted")
    out = {at[i] for a, b in next(iter(paths.values())) for i in range(a, b)}
    return [sum(i in out and stream.text[i].isalnum() for i in range(a, b)) for a, b in stream.entities]


def contender_figures(title: str, some: Sequence[Stream], passed: Sequence[Passed], aim: bool = False) -> list[Figure]:
    """Entities of which something came out, what came out of the rest, how long one waits, and the work."""
    hits = entities = letters = seen = harmless = 0
    firsts = []
    for stream, one in zip(some, passed, strict=True):
        counts = let_out(stream, "".join(text for _, text in one.shown))
        entities += len(counts)
        hits += sum(count > 0 for count in counts)
        letters += sum(counts)
        inside = {i for a, b in stream.entities for i in range(a, b)}
        harmless += sum(char.isalnum() and i not in inside for i, char in enumerate(stream.text))
        words = "".join(text for _, text in one.shown).replace(MARKER, "")
        seen += sum(char.isalnum() for char in words) - sum(counts)
        firsts += [sum(map(len, stream.tokens[: one.shown[0][0]]))] if one.shown else []
    work = [1000 * one.seconds / TOGETHER for one in passed]
    return [
        share(f"{title}: entities of which letters came out", hits, entities, at_most(0) if aim else None,
              f"{letters} letters and digits"),
        share(f"{title}: other letters shown", seen, harmless),
        Figure(f"{title}: characters in when the first came out, median",
               statistics.median(firsts) if firsts else None, len(firsts)),
        Figure(f"{title}: work a query, median", round(statistics.median(work), 2), len(work), unit="ms"),
    ]  # fmt: skip


def read_peers() -> list[Peer]:
    """The peers of ``data/peers/peers.yaml``."""
    read: dict[str, Any] = packaged_yaml("evaluation", "data/peers/peers.yaml")
    return [Peer(**{**entry, "arguments": tuple(entry["arguments"])}) for entry in read["peers"]]


def why_absent(peer: Peer, install: bool) -> str | None:
    """Why a peer cannot be run, or ``None``. With ``install`` its environment is made when it is not there."""
    done = peer.folder / ".made"
    if done.exists():
        return None
    if not install:
        return f"{peer.package} {peer.version} is not installed; overread bench guardrails --only peers installs it"
    peer.folder.parent.mkdir(parents=True, exist_ok=True)
    steps = ([sys.executable, "-m", "venv", str(peer.folder)],
             [str(peer.python), "-m", "pip", "install", "--quiet", f"{peer.package}=={peer.version}"])  # fmt: skip
    for step in steps:
        try:
            ended = subprocess.run(step, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=INSTALL_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{peer.package} {peer.version} could not be installed ({type(error).__name__})"
        if ended.returncode:
            return f"{peer.package} {peer.version} could not be installed (pip or venv ended with {ended.returncode})"
    done.touch()
    return None


def figures(folder: Path, install: bool, most: int | None = None) -> Iterator[Figure]:
    """The gate's figures, then those of each peer, or why there are none."""
    some = streams(read_asq(folder / "asq_phi_dev.jsonl"))[:most]
    yield from contender_figures("Overread's gate", some, [by_gate(one) for one in some], aim=True)
    for peer in read_peers():
        absent = why_absent(peer, install)
        passed: list[Passed] = []
        if absent is None:
            try:
                passed = by_peer(peer, some)
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                absent = f"{peer.package} {peer.version} did not run ({type(error).__name__})"
        if absent is not None:
            yield Figure(peer.title, None, 0, note=absent)
        else:
            yield from contender_figures(peer.title, some, passed)


def main() -> int:
    """Print one JSON object a figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--install", action="store_true", help="make the peers' environments where they are not there")
    parser.add_argument("--most", type=int, help="at most so many streams")
    chosen = parser.parse_args()
    sys.stdout.write(as_lines(list(figures(chosen.folder, chosen.install, chosen.most))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
