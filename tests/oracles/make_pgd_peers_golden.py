"""Write what torchattacks' and foolbox's PGD do, for tests that run without these libraries.

    pip install torchattacks==3.5.1 foolbox==3.3.4 && python -m tests.oracles.make_pgd_peers_golden

The one pins an old requests, so it wants an environment of its own; the other imports names that
SciPy is about to drop.
"""

from collections.abc import Callable

import foolbox
import torch
import torchattacks
from safetensors.torch import save_file
from torch import Tensor, nn

from robust_tuning.types import Norm
from tests.attacks.toys import images, labelled
from tests.oracles.pgd_peers import FILE, SETTINGS, Settings, network

Peer = Callable[[nn.Module, Tensor, Tensor, Norm, Settings, bool], tuple[Tensor, Tensor]]


class Watched(nn.Module):
    """A model that keeps the first images it is shown: where an attack starts."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.first: Tensor | None = None

    def forward(self, pictures: Tensor) -> Tensor:
        if self.first is None:
            self.first = pictures.detach().clone()
        logits: Tensor = self.net(pictures)
        return logits


def with_torchattacks(
    net: nn.Module, pictures: Tensor, labels: Tensor, norm: Norm, given: Settings, begin: bool
) -> tuple[Tensor, Tensor]:
    """Final images, and which of them it counts as broken."""
    kind = {"linf": torchattacks.PGD, "l2": torchattacks.PGDL2}[norm]
    attack = kind(net, eps=given.eps, alpha=given.step_size, steps=given.steps, random_start=begin)
    final = attack(pictures, labels)
    with torch.no_grad():
        return final, net(final).argmax(1) != labels


def with_foolbox(
    net: nn.Module, pictures: Tensor, labels: Tensor, norm: Norm, given: Settings, begin: bool
) -> tuple[Tensor, Tensor]:
    """Final images, and which of them it counts as broken."""
    kind = {"linf": foolbox.attacks.LinfPGD, "l2": foolbox.attacks.L2PGD}[norm]
    attack = kind(abs_stepsize=given.step_size, steps=given.steps, random_start=begin)
    model = foolbox.PyTorchModel(net, bounds=(0, 1), device="cpu")
    final, _, broken = attack(model, pictures, labels, epsilons=given.eps)
    return final, broken


PEERS: dict[str, Peer] = {"torchattacks": with_torchattacks, "foolbox": with_foolbox}


def main() -> None:
    """Write the golden file."""
    net, pictures = network(), images(24).float().double()
    labels = labelled(net, pictures, wrong_every=10**6)
    tensors = {f"net.{name}": tensor for name, tensor in net.state_dict().items()}
    tensors |= {"images": pictures.float(), "labels": labels}
    for peer, attack in PEERS.items():
        for norm, given in SETTINGS.items():
            torch.manual_seed(0)
            watched = Watched(net).eval()
            final, broken = attack(watched, pictures, labels, norm, given, True)
            _, from_images = attack(net, pictures, labels, norm, given, False)
            tensors |= {
                f"{peer}.{norm}.starts": watched.first,
                f"{peer}.{norm}.final": final.detach(),
                f"{peer}.{norm}.broken": broken,
                f"{peer}.{norm}.broken_from_images": from_images,
            }
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, FILE)


if __name__ == "__main__":
    main()
