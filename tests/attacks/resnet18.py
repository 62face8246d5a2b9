"""The small CIFAR-10 network that ships with `pyautoattack`, for comparisons on real images.

Its parameters carry the names of the published checkpoint.
"""

from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  the field's name for it
from torch import Tensor, nn


class Block(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1:
            self.shortcut.append(nn.Conv2d(inputs, outputs, 1, stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(inner + self.shortcut(x))


class ResNet18(nn.Module):
    """ResNet-18 for pictures of 32 by 32, without normalisation in front."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        widths = (64, 64, 128, 256, 512)
        for stage, (before, width) in enumerate(pairwise(widths), start=1):
            blocks = Block(before, width, 1 if stage == 1 else 2), Block(width, width, 1)
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
        self.linear = nn.Linear(512, 10)

    def forward(self, pictures: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(pictures)))
        for stage in range(1, 5):
            x = self.get_submodule(f"layer{stage}")(x)
        logits: Tensor = self.linear(x.mean((2, 3)))
        return logits


def resnet18() -> ResNet18:
    """The network with its published weights, in evaluation mode."""
    spec = find_spec("pyautoattack")
    if spec is None or spec.origin is None:
        message = "pyautoattack is not installed"
        raise ModuleNotFoundError(message)
    weights = Path(spec.origin).parent / "examples" / "model_test.pt"
    net = ResNet18()
    net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return net.eval().requires_grad_(False)


def cifar10(folder: Path, n: int) -> tuple[Tensor, Tensor]:
    """The first test images of CIFAR-10 `(n, 3, 32, 32)` in [0, 1], and their labels."""
    with np.load(folder / "cifar10_lossless_train4000_test1000.npz") as arrays:
        pictures, labels = arrays["x_test"][:n], arrays["y_test"][:n]
    images = torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous().float() / 255
    return images, torch.from_numpy(labels).long()
