"""The settings under which PGD is compared with other libraries', and what these computed."""

from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn

from robust_tuning.types import Norm
from tests.attacks.toys import conv_net

FILE = Path(__file__).parent / "pgd_peers.safetensors"


@dataclass(frozen=True)
class Settings:
    """A radius and how it is searched; with `linf` one image recovers on the way."""

    eps: float
    step_size: float
    steps: int = 6


SETTINGS: dict[Norm, Settings] = {"linf": Settings(0.02, 0.015), "l2": Settings(0.2, 0.3)}


def network() -> nn.Module:
    """What is attacked, in float64."""
    return conv_net(5, seed=5).eval()


@dataclass(frozen=True)
class Golden:
    """What a library did: from `starts` it came to `final`, by which `broken` are judged.

    `broken_from_images` are those broken where it starts from the images themselves.
    """

    net: nn.Module
    images: Tensor
    labels: Tensor
    starts: Tensor
    final: Tensor
    broken: Tensor
    broken_from_images: Tensor


def golden(peer: str, norm: Norm) -> Golden:
    """What `torchattacks` or `foolbox` computed, in float64."""
    held = load_file(FILE)
    net = network()
    prefix = "net."
    net.load_state_dict(
        {k.removeprefix(prefix): v for k, v in held.items() if k.startswith(prefix)}
    )
    names = ("starts", "final", "broken", "broken_from_images")
    theirs = (held[f"{peer}.{norm}.{name}"] for name in names)
    return Golden(net, held["images"].double(), held["labels"], *theirs)
