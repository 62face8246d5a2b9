"""A pretrained network that speaks pixels in [0, 1]."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from robust_tuning.backbones.config import Perturb
from robust_tuning.backbones.preprocessing import Normalize, Resize
from robust_tuning.backbones.weights import BackboneIdentity
from robust_tuning.types import ImageInput


class Backbone(nn.Module):
    """`[0, 1]` images to logits: resize (if native), normalise, network.

    Args:
        net: A classifier; its parameters are what a strategy adapts.
        head_names: Names of the classification layers inside `net`, such as `("head",)`.
        normalize: The network's own statistics.
        resize: To the network's input size.
        crop_fraction: Share of a photograph's shorter side that the network was evaluated on.
        perturb: Whether resizing happens in `prepare` (`input`) or in `forward` (`native`).
        identity: The name and hash of the weights `net` holds now.
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        head_names: tuple[str, ...],
        normalize: Normalize,
        resize: Resize,
        crop_fraction: float,
        perturb: Perturb,
        identity: BackboneIdentity,
    ) -> None:
        super().__init__()
        self.resize = resize
        self.normalize = normalize
        self.net = net
        self.head_names = head_names
        self.crop_fraction = crop_fraction
        self.perturb = perturb
        self.identity = identity

    @property
    def image_input(self) -> ImageInput:
        """What photographs should be resized and cropped to for this network."""
        size = max(self.resize.size)
        return ImageInput(size, self.crop_fraction, self.resize.interpolation)

    def prepare(self, images: Tensor) -> Tensor:
        """Bring a loaded batch to where perturbations live.

        Args:
            images: `(B, 3, H, W)` uint8, or float32 in [0, 1].

        Returns:
            `(B, 3, H', W')` float32 in [0, 1]: at the model's input size with `perturb="input"`,
            at their own with `perturb="native"`.
        """
        if images.dtype == torch.uint8:
            images = images.float().div_(255)
        return self.resize(images) if self.perturb == "input" else images

    def forward(self, images: Tensor) -> Tensor:
        """Classify.

        Args:
            images: `(B, 3, H, W)` float32 in [0, 1], as `prepare` returns them.

        Returns:
            Logits `(B, num_classes)`.
        """
        logits: Tensor = self.net(self.normalize(self.resize(images)))
        return logits

    def is_head(self, name: str) -> bool:
        """Whether a parameter or buffer of this backbone, by its name, belongs to the head."""
        return name.removeprefix("net.").startswith(tuple(f"{head}." for head in self.head_names))

    def head_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Named parameters of the classification layers."""
        return ((n, p) for n, p in self.named_parameters() if self.is_head(n))

    def body_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Named parameters of everything but the classification layers."""
        return ((n, p) for n, p in self.named_parameters() if not self.is_head(n))

    def trained_state(self) -> dict[str, Tensor]:
        """What distinguishes this model from its pretrained backbone.

        Returns:
            The tensors that require a gradient, the head and the persistent buffers, by name:
            enough to rebuild the logits on top of the same pretrained weights.
        """
        parameters = dict(self.named_parameters())
        return {
            name: tensor
            for name, tensor in self.state_dict().items()
            if name not in parameters or parameters[name].requires_grad or self.is_head(name)
        }

    def train(self, mode: bool = True) -> "Backbone":
        """Set the mode; batch norms whose scale is frozen stay in evaluation mode.

        Otherwise their running statistics would move under a strategy that promises to leave the
        backbone alone.
        """
        super().train(mode)
        if mode:
            for module in self.net.modules():
                if isinstance(module, _BatchNorm) and self._is_frozen(module):
                    module.eval()
        return self

    def _is_frozen(self, norm: _BatchNorm) -> bool:
        if norm.affine:
            return not norm.weight.requires_grad
        return any(not parameter.requires_grad for parameter in self.net.parameters())
