"""An OpenCLIP model from local files alone: its shape is in the card, so no hub and no code of others is asked.

The card's ``input`` holds ``embed_dim``, ``vision`` and ``text`` with OpenCLIP's own names, and ``tokenizer``:
``{kind: clip}`` is the one that OpenCLIP carries, ``{kind: wordpiece, file: vocab.txt}`` a BERT vocabulary
that is a companion of the card. ``text: {bert: {…}}`` is a BERT text tower.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from overread.cards import CardFile
from overread.errors import CardError
from tools.classifiers.preparation import read_preparation
from tools.passes import chosen_device
from tools.weights import fill, read_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

Floats = NDArray[np.float32]
Tokens = Callable[[list[str]], "Tensor"]

VISION = frozenset(
    (
        *("layers", "width", "head_width", "mlp_ratio", "patch_size", "pool_type"),
        *("timm_model_name", "timm_pool", "timm_proj"),
    )
)
TEXT = frozenset(("context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio", "pool_type"))
BERT = frozenset(("vocab_size", "hidden_size", "layers", "heads", "intermediate_size", "positions"))
POOLERS = ("cls_last_hidden_state_pooler", "cls_pooler", "mean_pooler")
MOST, MOST_WORDS = 4096, 300_000
"""No number in a card's shape may be larger, and no vocabulary."""


class Clip:
    """Image and text towers in one space. Safe to use from several threads."""

    def __init__(self, file: CardFile) -> None:
        """Read the weights. Raises ``CardError`` when they, or a companion, are missing, altered or do not fit."""
        card = file.card
        self._preparation = read_preparation(card.name, card.input)
        if self._preparation.channels != 3:
            raise CardError(f"card {card.name}: a CLIP takes three channels")
        tensors = read_tensors(file)
        tensors.pop("text.transformer.embeddings.position_ids", None)
        self._device = chosen_device()
        network = fill(build_clip(card.name, card.input, self._preparation.size), tensors, "", card.name)
        self._network: Any = network.to(self._device)
        self._tokens = _tokenizer(file)
        self._lock = threading.Lock()
        self.scale = float(self._network.state_dict()["logit_scale"].exp())

    def images(self, images: Sequence[NDArray[np.uint8]]) -> Floats:
        """Unit vectors of pictures, each uint8 ``(H, W, 3)`` RGB: float32 ``(N, D)``."""
        return self.vectors(self.prepared(images))

    def prepared(self, images: Sequence[NDArray[np.uint8]]) -> Floats:
        """What the image tower takes of pictures, each uint8 ``(H, W, 3)`` RGB: float32 ``(N, 3, S, S)``."""
        return self._preparation(images)

    def vectors(self, pixels: Floats) -> Floats:
        """Unit vectors of prepared pictures: float32 ``(N, D)``."""
        import torch

        return self._encode(self._network.encode_image, torch.from_numpy(pixels))

    def texts(self, texts: Sequence[str]) -> Floats:
        """Unit vectors of texts, float32 ``(N, D)``. A text longer than the tower reads is cut."""
        return self._encode(self._network.encode_text, self._tokens(list(texts)))

    def _encode(self, tower: "Any", batch: "Tensor") -> Floats:
        import torch

        with self._lock, torch.inference_mode():
            seen = tower(batch.to(self._device)).float()
            out: Floats = torch.nn.functional.normalize(seen, dim=1).cpu().numpy()
        return out


def build_clip(card: str, given: Mapping[str, Any], size: int) -> "nn.Module":
    """The network a card's ``input`` describes, with no weights. Raises ``CardError`` when that makes no sense."""
    dimensions = given.get("embed_dim")
    vision, text = _table(card, given, "vision", VISION), dict(given.get("text") or {})
    bert = text.pop("bert", None)
    pooler, projection = text.pop("pooler", "mean_pooler"), text.pop("projection", "mlp")
    text = _table(card, {"text": text}, "text", TEXT)
    if not isinstance(dimensions, int) or not 1 <= dimensions <= MOST:
        raise CardError(f"card {card}: embed_dim of its input must be a whole number up to {MOST}")
    if pooler not in POOLERS or projection not in ("mlp", "linear"):
        raise CardError(f"card {card}: pooler or projection of its text tower is not known")
    import timm
    from open_clip.model import CLIP, CustomTextCLIP

    name = vision.get("timm_model_name")
    if name is not None and not timm.is_model(name):
        raise CardError(
            f"card {card}: timm_model_name of its input must be the plain name of a network that timm knows"
        )
    vision |= {"image_size": size}
    try:
        if bert is None:
            network: nn.Module = CLIP(embed_dim=dimensions, vision_cfg=vision, text_cfg=text)
            return network
        network = CustomTextCLIP(
            embed_dim=dimensions, vision_cfg=vision, text_cfg={"layers": 1, "width": 64, "heads": 1}
        )
        network.text = _bert(_table(card, {"bert": bert}, "bert", BERT), dimensions, pooler, projection)
    except (TypeError, ValueError, RuntimeError, AssertionError, KeyError, ZeroDivisionError) as error:
        raise CardError(f"card {card}: its input describes no network ({type(error).__name__})") from None
    return network


def _bert(shape: Mapping[str, Any], dimensions: int, pooler: str, projection: str) -> "nn.Module":
    from open_clip.hf_model import HFTextEncoder
    from transformers import BertConfig

    config = BertConfig(
        vocab_size=shape["vocab_size"],
        hidden_size=shape["hidden_size"],
        num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"],
        intermediate_size=shape["intermediate_size"],
        max_position_embeddings=shape["positions"],
    )
    tower: Any = HFTextEncoder("", dimensions, config=config, pooler_type=pooler, proj_type=projection)
    if pooler != "cls_pooler":
        tower.transformer.pooler = None
    built: nn.Module = tower
    return built


def _table(card: str, given: Mapping[str, Any], key: str, known: frozenset[str]) -> dict[str, Any]:
    table = given.get(key)
    if not isinstance(table, dict) or not set(table) <= known:
        raise CardError(f"card {card}: {key} of its input may hold {', '.join(sorted(known))} and nothing else")
    for name, value in table.items():
        most = MOST_WORDS if name == "vocab_size" else MOST
        for number in value if isinstance(value, list) else [value]:
            if isinstance(number, int | float) and not 0 < number <= most:
                raise CardError(f"card {card}: {name} in {key} of its input is out of range")
    return dict(table)


def _tokenizer(file: CardFile) -> Tokens:
    """The tokenizer a card names: texts as int64 ``(N, L)``. Raises ``CardError``."""
    card, given = file.card, file.card.input.get("tokenizer", {"kind": "clip"})
    kind = given.get("kind") if isinstance(given, dict) else None
    if kind == "clip":
        from open_clip.tokenizer import SimpleTokenizer

        length = int(dict(card.input.get("text") or {}).get("context_length", 77))
        plain = SimpleTokenizer(context_length=length)
        return lambda texts: plain(texts)
    if kind != "wordpiece":
        raise CardError(f"card {card.name}: the kind of its tokenizer must be clip or wordpiece")
    from transformers import BertTokenizerFast

    path, length = file.companion(str(given.get("file"))), int(given.get("length", 256))
    try:
        pieces = BertTokenizerFast(vocab=str(path), do_lower_case=True)
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise CardError(f"card {card.name}: {path.name} is no vocabulary ({type(error).__name__})") from None

    def tokens(texts: list[str]) -> "Tensor":
        found: Tensor = pieces(texts, padding=True, truncation=True, max_length=length, return_tensors="pt").input_ids
        return found

    return tokens
