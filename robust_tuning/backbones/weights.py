"""The identity of a backbone: its name and a hash of the weights it started from."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from robust_tuning.errors import WeightsError


@dataclass(frozen=True)
class BackboneIdentity:
    """Which pretrained weights a state was made from.

    Attributes:
        name: The timm name.
        sha256: `hash_weights` of the network before anything was adapted, without its head.
    """

    name: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.name}@{self.sha256[:12]}"

    def require(self, sha256: str, what: str) -> None:
        """Refuse a state that was made from other weights.

        Args:
            sha256: The hash stored with the state.
            what: What the state is, for the message.

        Raises:
            WeightsError: If it is not this one's.
        """
        if sha256 != self.sha256:
            message = (
                f"{what} was made from pretrained weights {sha256[:12]}, but {self.name} holds "
                f"{self.sha256[:12]} here; give the same weights file (backbone.pretrained)"
            )
            raise WeightsError(message)


def hash_weights(net: nn.Module, exclude: tuple[str, ...] = ()) -> str:
    """SHA-256 over names, shapes, dtypes and bytes of a network's state, in sorted order.

    Args:
        net: The network; its tensors may be on any device.
        exclude: Modules left out, such as the head that every data set replaces.

    Returns:
        64 hexadecimal digits.
    """
    dropped = tuple(f"{module}." for module in exclude)
    return hash_tensors({n: t for n, t in net.state_dict().items() if not n.startswith(dropped)})


def hash_tensors(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, shapes, dtypes and bytes, in sorted order, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name}:{tuple(tensor.shape)}:{tensor.dtype};".encode())
        digest.update(_bytes(tensor))
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> bytes:
    # As bytes, because NumPy has no bfloat16.
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
