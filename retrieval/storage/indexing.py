"""Indexing: what changes a base. Words first, then vectors; each step makes a whole new generation."""

import datetime
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from overread.encoder import DIMENSIONS, encoder_digest, sentence_encoder
from retrieval.cache import MANIFEST
from retrieval.errors import BaseError
from retrieval.ranking import TITLE_WEIGHT
from retrieval.sources.files import listed
from retrieval.storage import texts, vectors, wording, words
from retrieval.storage.base import ABOUT, FORMAT, read_about
from retrieval.storage.generations import PENDING, STAGING, current, link_files, publish_generation, writing
from retrieval.storage.intake import Progress, Report, take_in
from retrieval.storage.staging import Staging
from retrieval.storage.texts import Texts
from retrieval.storage.wording import Said
from retrieval.terms import content

USABLE = 0.9
"""The share of passages that must have a vector before searches compare by meaning."""

_SEGMENT = 512
"""Passages that are encoded between two savings."""

_BATCH = 128
_TOLD = 256
_STAGED = "library.sqlite"


def add(base: Path, paths: Sequence[Path], progress: Progress, again: bool = False) -> Report:
    """Read files and folders into a base, searchable by words when this returns. What has not changed is not read.

    ``again`` reads it nevertheless, which also brings back what was removed. Interrupted, it goes on where it was.
    Raises ``SourceError`` where a path is not there, and ``BaseError``.
    """
    files = listed(paths)
    with writing(base):
        staging = _staging(base)
        try:
            report = take_in(staging, files, base, progress, again)
            if staging.changed or _of_another_form(base):
                _publish(base, staging, progress)
        finally:
            staging.close()
        shutil.rmtree(base / STAGING, ignore_errors=True)
    return report


def _of_another_form(base: Path) -> bool:
    """Whether another version wrote the current generation. Its texts can be read; the rest is made anew."""
    folder = current(base)
    return folder is not None and read_about(folder).get("format") != FORMAT


def fill(base: Path, progress: Progress) -> int:
    """Encode the passages that have no vector yet; how many those were. Saved as it goes, so it may be interrupted."""
    with writing(base):
        folder = current(base)
        if folder is None:
            return 0
        if _of_another_form(base):
            raise BaseError("the knowledge base was made by another version; run once more: overread index add PATH")
        stored = Texts(folder)
        try:
            known = _known(base)
            keys = stored.keys()
            missing: dict[bytes, str] = {}
            for key, text in zip(keys, stored.searchable(), strict=True):
                if key not in known:
                    missing.setdefault(key, text)
            if missing:
                _encode(base, missing, progress)
            if missing or known.keys() - _held(folder, keys):
                publish_generation(base, lambda target: _carry(folder, target, keys, _known(base)))
            # Also where an earlier command was killed between publishing and this line.
            shutil.rmtree(base / PENDING, ignore_errors=True)
        finally:
            stored.close()
    return len(missing)


def _held(folder: Path, keys: Sequence[bytes]) -> set[bytes]:
    """The content keys that a generation has a vector for."""
    if not (folder / vectors.ROWS).is_file():
        return set()
    return {keys[row] for row in vectors.Vectors(folder, len(keys)).rows}


def remove(base: Path, ids: Sequence[str], progress: Progress) -> list[str]:
    """Take documents out, from every file of the base; their titles. Raises ``BaseError`` where an id is not there."""
    with writing(base):
        folder = current(base)
        if folder is None:
            raise BaseError("there is no knowledge base here to remove from")
        stored = Texts(folder)
        found = [stored.facts(id_) for id_ in ids]
        stored.close()
        for id_, facts in zip(ids, found, strict=True):
            if facts is None:
                raise BaseError(f"no document has the id {id_!r}; see: overread index info --documents")
        # What an interrupted command has read may hold the documents too.
        shutil.rmtree(base / STAGING, ignore_errors=True)
        staging = _staging(base)
        try:
            for id_ in ids:
                staging.remove(id_)
            _publish(base, staging, progress)
        finally:
            staging.close()
            shutil.rmtree(base / STAGING, ignore_errors=True)
    return [facts.title for facts in found if facts is not None]


def _staging(base: Path) -> Staging:
    """The texts to change: what an interrupted command has read on top of the current generation, or a copy of that."""
    folder = current(base)
    number = int(folder.name) if folder is not None else 0
    path = base / STAGING / _STAGED
    if path.is_file():
        staging = Staging(path)
        if staging.based_on == number:
            staging.changed = True
            return staging
        staging.close()
    shutil.rmtree(base / STAGING, ignore_errors=True)
    path.parent.mkdir()
    begun = path.with_suffix(".begun")
    if folder is not None:
        shutil.copyfile(folder / texts.FILE, begun)
    staging = Staging(begun)
    staging.based_on = number
    staging.close()
    begun.rename(path)
    return Staging(path)


def _publish(base: Path, staging: Staging, progress: Progress) -> None:
    """Make a generation of staged texts, with their words and with the vectors that are known."""
    known = _known(base)

    def write(folder: Path) -> None:
        staging.write(folder / texts.FILE)
        stored = Texts(folder)
        try:
            keys = stored.keys()
            if keys:
                said = list(_counted(stored, progress))
                wording.write(said, words.write(map(_indexed, said), folder), folder)
            _write_vectors(folder, keys, known)
            _write_about(folder, stored.documents, len(keys))
        finally:
            stored.close()

    publish_generation(base, write)
    shutil.rmtree(base / PENDING, ignore_errors=True)


def _carry(from_: Path, folder: Path, keys: Sequence[bytes], known: Mapping[bytes, NDArray[np.float16]]) -> None:
    """A generation with the texts and words of another, and the vectors that are known."""
    made = {vectors.ROWS, vectors.VALUES, vectors.INDEX, ABOUT, MANIFEST}
    link_files(from_, folder, [path.name for path in from_.iterdir() if path.name not in made])
    _write_vectors(folder, keys, known)
    _write_about(folder, read_about(from_)["documents"], len(keys))


def _write_vectors(folder: Path, keys: Sequence[bytes], known: Mapping[bytes, NDArray[np.float16]]) -> None:
    rows = np.asarray([row for row, key in enumerate(keys) if key in known], dtype=np.int32)
    if len(rows):
        values = np.empty((len(rows), DIMENSIONS), dtype=np.float16)
        for place, row in enumerate(rows):
            values[place] = known[keys[row]]
        vectors.write(rows, values, folder, indexed=len(rows) >= USABLE * len(keys))


def _write_about(folder: Path, documents: int, passages: int) -> None:
    about = {
        "format": FORMAT,
        "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "documents": documents,
        "passages": passages,
        "encoder": encoder_digest(),
    }
    (folder / ABOUT).write_text(json.dumps(about), encoding="utf-8")


def _known(base: Path) -> dict[bytes, NDArray[np.float16]]:
    """Every vector of this encoder that the base has, by the content it stands for."""
    known: dict[bytes, NDArray[np.float16]] = {}
    folder = current(base)
    if folder is not None and (folder / vectors.ROWS).is_file() and read_about(folder)["encoder"] == encoder_digest():
        stored = Texts(folder)
        keys = stored.keys()
        there = vectors.Vectors(folder, len(keys))
        known.update((keys[row], there.values[place]) for place, row in enumerate(there.rows))
        stored.close()
    for some, values in _pending(base).load():
        known.update(zip(some, values, strict=True))
    return known


def _encode(base: Path, missing: Mapping[bytes, str], progress: Progress) -> None:
    """Encode texts, the shortest first, because a batch of like lengths is the quickest; save every few hundred."""
    encoder, pending = sentence_encoder(), _pending(base)
    keys = sorted(missing, key=lambda key: len(missing[key]))
    progress("vectors", 0, len(keys))
    for start in range(0, len(keys), _SEGMENT):
        segment = keys[start : start + _SEGMENT]
        made: list[NDArray[np.float32]] = []
        for at in range(0, len(segment), _BATCH):
            made.append(encoder.encode([missing[key] for key in segment[at : at + _BATCH]]))
            progress("vectors", start + min(at + _BATCH, len(segment)), len(keys))
        pending.save(segment, np.concatenate(made))


def _pending(base: Path) -> vectors.Pending:
    return vectors.Pending(base / PENDING / encoder_digest()[:16])


def _indexed(said: Said) -> list[str]:
    """What BM25 is told of a passage: its words, and those of its title several times over."""
    return content([*said.title * TITLE_WEIGHT, *(term for part in said.parts[1:] for term in part)])


def _counted(stored: Texts, progress: Progress) -> Iterator[Said]:
    total = stored.passages
    for done, said in enumerate(stored.said(), start=1):
        yield said
        if done % _TOLD == 0 or done == total:
            progress("words", done, total)
