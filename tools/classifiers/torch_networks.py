"""Torch classifiers: any of timm's by name, and TorchXRayVision's DenseNet-121. Both with Grad-CAM."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from overread.cards import CardFile
from overread.errors import CardError
from tools.classifiers.classifier import Floats, Seen
from tools.classifiers.preparation import Preparation
from tools.passes import chosen_device
from tools.weights import fill, read_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn


class GradCam:
    """A torch network in two halves, and where it looked for each output.

    ``features`` gives the last feature map, ``head`` the outputs, float ``(N, outputs)``, from that. Where the
    map is not ``(N, C, h, w)``, as with a transformer, there is no heatmap.
    Source: Selvaraju et al., Grad-CAM, 2017.
    """

    def __init__(self, features: "Callable[[Tensor], Tensor]", head: "Callable[[Tensor], Tensor]") -> None:
        self._features, self._head = features, head
        self._lock = threading.Lock()

    def __call__(self, pixels: Floats) -> Seen:
        """Outputs and maps of a batch, float32 ``(N, C, S, S)``."""
        import torch

        with self._lock, torch.no_grad():
            features = self._features(torch.from_numpy(pixels).to(chosen_device()))
        with self._lock, torch.enable_grad():
            features = features.detach().requires_grad_(features.dim() == 4)
            outputs = self._head(features)
            heat = self._maps(features, outputs) if features.dim() == 4 else None
        return Seen(outputs.detach().float().cpu().numpy(), heat)

    @staticmethod
    def _maps(features: "Tensor", outputs: "Tensor") -> Floats:
        """One map an output: the positive part of the feature maps weighted by their mean gradient."""
        import torch

        maps = []
        for column in range(outputs.shape[1]):
            (gradient,) = torch.autograd.grad(outputs[:, column].sum(), features, retain_graph=True)
            weights = gradient.mean(dim=(2, 3), keepdim=True)
            maps.append((weights * features).sum(dim=1).relu().detach())
        return np.asarray(torch.stack(maps, dim=1).cpu().numpy(), dtype=np.float32)


def load_timm(file: CardFile, preparation: Preparation, outputs: int) -> GradCam:
    """A classifier of timm, by the name in ``input.model``. Nothing is downloaded. Raises ``CardError``."""
    import timm

    card = file.card
    name = card.input.get("model")
    if not isinstance(name, str) or not timm.is_model(name):
        raise CardError(f"card {card.name}: model of its input must be the plain name of a network that timm knows")
    tensors = read_tensors(file)
    size = {"img_size": preparation.size} if timm.models.get_pretrained_cfg(name).fixed_input_size else {}
    network: Any = _built(
        card.name,
        lambda: timm.create_model(name, pretrained=False, num_classes=outputs, in_chans=preparation.channels, **size),
    )
    fill(network, tensors, "", card.name).to(chosen_device())
    plain = getattr(network, "output_fmt", "NCHW")
    if str(getattr(plain, "value", plain)) != "NCHW":
        return GradCam(lambda x: network.forward_features(x).flatten(1, 2), _head_of_rows(network))
    return GradCam(network.forward_features, network.forward_head)


def _head_of_rows(network: Any) -> "Callable[[Tensor], Tensor]":
    """The head of a network whose map is ``(N, h, w, C)``, called with its cells in rows, ``(N, h*w, C)``."""

    def head(rows: "Tensor") -> "Tensor":
        side = round(rows.shape[1] ** 0.5)
        out: Tensor = network.forward_head(rows.unflatten(1, (side, side)))
        return out

    return head


def load_xray_densenet(file: CardFile, preparation: Preparation, outputs: int) -> GradCam:
    """TorchXRayVision's DenseNet-121, from its plain table of weights. Raises ``CardError``.

    Source: Cohen et al., TorchXRayVision, 2022. Its table has torchvision's names, its first convolution one channel.
    """
    import torch
    from torch.nn import functional as f
    from torchvision.models import densenet121

    card = file.card
    if preparation.channels != 1:
        raise CardError(f"card {card.name}: this network takes one channel; say channels: 1 in its input")
    tensors = {name: tensor for name, tensor in read_tensors(file).items() if name != "op_threshs"}
    network: Any = densenet121(weights=None, num_classes=outputs)
    network.features.conv0 = torch.nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)
    fill(network, tensors, "", card.name).to(chosen_device())

    def head(features: "Tensor") -> "Tensor":
        pooled = f.adaptive_avg_pool2d(features, (1, 1)).flatten(1)
        out: Tensor = network.classifier(pooled)
        return out

    return GradCam(lambda x: network.features(x).relu(), head)


def _built(card: str, make: "Callable[[], nn.Module]") -> "nn.Module":
    try:
        return make()
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise CardError(f"card {card}: that network cannot be made with this size ({type(error).__name__})") from None
