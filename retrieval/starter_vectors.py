"""The sentence vectors of the starter notes, shipped so that the first answer need not wait for them.

Each is kept under the hash of its text, so a text that was changed is encoded anew. After a
change of the notes run ``python -m retrieval.starter_vectors``.
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from overread.encoder import DIMENSIONS, encoder_digest, sentence_encoder

FILE = "data/starter_vectors.npz"


def encoded(texts: Sequence[str]) -> NDArray[np.float32]:
    """The vectors of some texts, float32 ``(n, 384)``: those that are shipped, and the others encoded now."""
    known = shipped()
    vectors = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
    missing = []
    for row, text in enumerate(texts):
        found = known.get(key(text))
        if found is None:
            missing.append(row)
        else:
            vectors[row] = found / np.linalg.norm(found)
    if missing:
        vectors[missing] = sentence_encoder().encode([texts[row] for row in missing])
    return vectors


def key(text: str) -> bytes:
    """What a text's vector is kept under."""
    return hashlib.sha256(text.encode()).digest()[:16]


@lru_cache(maxsize=1)
def shipped() -> Mapping[bytes, NDArray[np.float32]]:
    """The shipped vectors by the keys of their texts; none where the encoder is another."""
    with files("retrieval").joinpath(FILE).open("rb") as file, np.load(file, allow_pickle=False) as stored:
        if str(stored["encoder"]) != encoder_digest():
            return {}
        values = stored["values"].astype(np.float32)
        return {bytes(name): vector for name, vector in zip(stored["keys"], values, strict=True)}


def write(texts: Sequence[str], path: Path) -> None:
    """Encode texts and write their vectors, float16, with the encoder's name."""
    values = sentence_encoder().encode(list(texts)).astype(np.float16)
    keys = np.frombuffer(b"".join(map(key, texts)), dtype=np.uint8).reshape(-1, 16)
    with path.open("wb") as file:
        np.savez_compressed(file, keys=keys, values=values, encoder=np.array(encoder_digest()))


def main() -> None:
    """Write the vectors of the starter notes."""
    from retrieval.notes import STARTER, read_library
    from retrieval.search import searchable_texts

    write(searchable_texts(read_library(STARTER)), Path(str(files("retrieval"))) / FILE)


if __name__ == "__main__":
    main()
