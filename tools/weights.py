"""Reads the weights a card names: SHA-256 checked, safetensors or a checkpoint of weights alone, as float32."""

from typing import TYPE_CHECKING

from overread.cards import CardFile
from overread.errors import CardError

if TYPE_CHECKING:
    from torch import Tensor, nn


def read_weights(file: CardFile) -> "tuple[dict[str, Tensor], dict[str, str]]":
    """The tensors by name, floating ones as float32, and the file's own notes.

    Raises ``CardError`` when the file is missing, is not the file the card names, or is no safetensors.
    """
    from safetensors import SafetensorError, safe_open

    path = file.weights()
    try:
        with safe_open(path, "pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            notes = dict(opened.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise CardError(
            f"card {file.card.name}: {path.name} cannot be read as safetensors ({type(error).__name__})"
        ) from None
    return {name: t.float() if t.dtype.is_floating_point else t for name, t in tensors.items()}, notes


CHECKPOINT_SUFFIXES = (".pth", ".pt", ".bin")


def read_tensors(file: CardFile) -> "dict[str, Tensor]":
    """The tensors by name, from safetensors, or from a checkpoint if the file's name ends as one. See below."""
    return read_checkpoint(file) if file.card.weights.file.endswith(CHECKPOINT_SUFFIXES) else read_weights(file)[0]


def read_checkpoint(file: CardFile) -> "dict[str, Tensor]":
    """The tensors of a ``.pth`` file, floating ones as float32. Nothing but tensors is unpickled.

    Raises ``CardError`` when the file is missing or altered, or holds anything else.
    """
    import pickle

    import torch

    path = file.weights()
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True, mmap=False)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CardError(
            f"card {file.card.name}: {path.name} cannot be read as a checkpoint of weights alone"
            f" ({type(error).__name__}); use the published file or safetensors"
        ) from None
    for key in ("model", "state_dict"):
        if isinstance(stored, dict) and isinstance(stored.get(key), dict):
            stored = stored[key]
    if not isinstance(stored, dict) or not all(isinstance(value, torch.Tensor) for value in stored.values()):
        raise CardError(f"card {file.card.name}: {path.name} holds no plain table of weights")
    return {str(name): t.float() if t.dtype.is_floating_point else t for name, t in stored.items()}


def fill(network: "nn.Module", tensors: "dict[str, Tensor]", prefix: str, card: str) -> "nn.Module":
    """Put the tensors whose names start with ``prefix`` into a network; give it back ready for use.

    Raises ``CardError`` when they do not fit it.
    """
    own = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    try:
        network.load_state_dict(own)
    except RuntimeError:
        raise CardError(f"card {card}: the weights do not fit the architecture and input the card names") from None
    return network.eval().requires_grad_(False)
