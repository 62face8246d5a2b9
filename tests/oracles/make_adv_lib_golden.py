"""Write the path that adv-lib's FMN takes, for tests that run without that library.

pip install adv-lib==0.2.8 && python -m tests.oracles.make_adv_lib_golden
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.attacks.toys import conv_net, images, labelled

FOLDER = Path(__file__).parent / "adv_lib"
ORDERS = {"linf": float("inf"), "l2": 2.0, "l1": 1.0}
STEPS = 30
EVERY = 3


class Watched(nn.Module):
    """A model that keeps what it is shown."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.shown: list[Tensor] = []

    def forward(self, pictures: Tensor) -> Tensor:
        """Answer."""
        self.shown.append(pictures.detach().clone())
        logits: Tensor = self.net(pictures)
        return logits


def main() -> None:
    """Write the golden file."""
    from adv_lib.attacks import fmn  # type: ignore[import-not-found]  # not installed beside ours

    # The library keeps its radii in the default type, whatever that of the images.
    torch.set_default_dtype(torch.float64)
    # Far from the bounds of the pixels, where clipping does not stop the library's search.
    net, pictures = conv_net(), images(40, low=0.3, high=0.7)
    labels = labelled(net, pictures, wrong_every=10**6)
    found = [net(fmn(net, pictures, labels, norm=p)).argmax(1) != labels for p in ORDERS.values()]
    chosen = torch.stack(found).all(0).nonzero().flatten()[:4]
    pictures, labels = pictures[chosen], labels[chosen]
    tensors = {f"net.{name}": weight for name, weight in net.state_dict().items()}
    tensors |= {"images": pictures, "labels": labels}
    for norm, order in ORDERS.items():
        watched = Watched(net)
        tensors[f"{norm}.best"] = fmn(watched, pictures, labels, norm=order, steps=STEPS)
        tensors[f"{norm}.path"] = torch.stack(watched.shown[::EVERY])
    FOLDER.mkdir(exist_ok=True)
    save_file(tensors, FOLDER / "fmn.safetensors")


if __name__ == "__main__":
    main()
