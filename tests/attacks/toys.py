"""Tiny models and images whose robustness can be worked out by other means."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from robust_tuning.types import Batch

SIZE = 6
PIXELS = 3 * SIZE * SIZE


def conv_net(classes: int = 4, *, seed: int = 0, scale: float = 4.0) -> nn.Sequential:
    """A net in float64, where rounding that depends on the batch cannot decide a verdict.

    On average over random images it prefers no class.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = nn.Linear(24, classes)
        net = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(6, 6, 3, stride=2),
            nn.GELU(),
            nn.Flatten(),
            head,
        ).double()
    with torch.no_grad():
        head.weight *= scale
        head.bias.sub_(net(images(200, seed=99)).mean(0))
    return net


def images(n: int, *, seed: int = 0, low: float = 0.0, high: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    spread = torch.rand(n, 3, SIZE, SIZE, generator=generator, dtype=torch.float64)
    return low + (high - low) * spread


def labelled(net: nn.Module, pictures: Tensor, *, wrong_every: int = 7) -> Tensor:
    """The net's own answers, of which every `wrong_every`-th is made wrong."""
    with torch.no_grad():
        logits = net(pictures)
    labels: Tensor = logits.argmax(1)
    mistaken = torch.arange(len(labels)) % wrong_every == wrong_every - 1
    return torch.where(mistaken, (labels + 1) % logits.shape[1], labels)


def batches(
    pictures: Tensor, labels: Tensor, size: int = 16, indices: Tensor | None = None
) -> list[Batch]:
    indices = torch.arange(len(labels)) if indices is None else indices
    starts = range(0, max(1, len(labels)), size)
    columns = (pictures, labels, indices)
    return [Batch(*(column[i : i + size] for column in columns)) for i in starts]


class Linear(nn.Module):
    """`logits = flattened images @ weight + bias`."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(bias)

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures.flatten(1) @ self.weight + self.bias


class Recording(nn.Module):
    """A model that notes the size of every batch it is given."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.sizes: list[int] = []

    def forward(self, pictures: Tensor) -> Tensor:
        self.sizes.append(len(pictures))
        logits: Tensor = self.net(pictures)
        return logits


def brightness(pixel: int = 0, *, gain: float = 1.0, threshold: float = 0.5) -> Linear:
    """Two classes: class 1 where one pixel is brighter than the threshold."""
    weight = torch.zeros(PIXELS, 2, dtype=torch.float64)
    weight[pixel, 1] = gain
    return Linear(weight, torch.tensor([0.0, -threshold * gain], dtype=torch.float64))


def grey(values: Iterable[float]) -> Tensor:
    """Images of one grey level each."""
    levels = torch.tensor(list(values), dtype=torch.float64)
    return levels.view(-1, 1, 1, 1).expand(-1, 3, SIZE, SIZE).contiguous()
