"""The layers of the packaged MiniLM in torch, for whole batches.

Written out, because the library that the model comes from takes seconds to import and does much around each layer
that a sentence of a dozen words waits for longer than for the layers themselves.
"""

from typing import TYPE_CHECKING, Any

from overread.early_layers import HEADS
from overread.encoder import DIMENSIONS, packaged_model

if TYPE_CHECKING:
    from torch import Tensor

_EPSILON = 1e-12


class MiniLM:
    """All six layers. Stateless after it is made, and thread-safe.

    Source: Wang et al., MiniLM, 2020; Devlin et al., BERT, 2019, for the layer.
    """

    def __init__(self) -> None:
        from safetensors import safe_open

        opened: Any = safe_open
        with opened(packaged_model() / "model.safetensors", "pt") as file:
            names = set(file.keys())
            get = file.get_tensor
            self._words: Tensor = get("embeddings.word_embeddings.weight")
            self._places: Tensor = (
                get("embeddings.position_embeddings.weight") + get("embeddings.token_type_embeddings.weight")[0]
            )
            self._norm = get("embeddings.LayerNorm.weight"), get("embeddings.LayerNorm.bias")
            self._layers: list[_Layer] = []
            while (prefix := f"encoder.layer.{len(self._layers)}.") + "output.dense.weight" in names:
                self._layers.append(_Layer(get, prefix))

    def __call__(self, ids: "Tensor", mask: "Tensor | None" = None) -> "Tensor":
        """What each piece means where it stands: float32 ``(n, t, 384)`` for ids int64 ``(n, t)``.

        ``mask`` is bool ``(n, t)``, false where a row is padded; ``None`` where none is.
        """
        from torch.nn.functional import embedding, layer_norm

        hidden = embedding(ids, self._words) + self._places[: ids.shape[1]]
        hidden = layer_norm(hidden, (DIMENSIONS,), *self._norm, _EPSILON)
        seen = None if mask is None else mask[:, None, None, :]
        for layer in self._layers:
            hidden = layer(hidden, seen)
        return hidden


class _Layer:
    """Attention, then two dense maps, each added to what came in and normalised."""

    def __init__(self, get: Any, prefix: str) -> None:
        import torch

        def both(name: str) -> "tuple[Tensor, Tensor]":
            return get(f"{prefix}{name}.weight"), get(f"{prefix}{name}.bias")

        asked = [both(f"attention.self.{name}") for name in ("query", "key", "value")]
        self._asked = torch.cat([weight for weight, _ in asked]), torch.cat([bias for _, bias in asked])
        self._seen, self._seen_norm = both("attention.output.dense"), both("attention.output.LayerNorm")
        self._wide, self._narrow, self._norm = (
            both("intermediate.dense"),
            both("output.dense"),
            both("output.LayerNorm"),
        )

    def __call__(self, hidden: "Tensor", mask: "Tensor | None") -> "Tensor":
        from torch.nn.functional import gelu, layer_norm, linear, scaled_dot_product_attention

        shape = hidden.shape
        asked = linear(hidden, *self._asked).view(*shape[:2], 3, HEADS, DIMENSIONS // HEADS).permute(2, 0, 3, 1, 4)
        seen = scaled_dot_product_attention(asked[0], asked[1], asked[2], attn_mask=mask)
        seen = linear(seen.transpose(1, 2).reshape(shape), *self._seen)
        hidden = layer_norm(hidden + seen, (DIMENSIONS,), *self._seen_norm, _EPSILON)
        new = linear(gelu(linear(hidden, *self._wide)), *self._narrow)
        return layer_norm(hidden + new, (DIMENSIONS,), *self._norm, _EPSILON)
