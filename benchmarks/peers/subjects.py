"""Which model is attacked, on which images."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.peers.fine_tuning import COURSES, real_data
from tests.attacks.resnet18 import cifar10
from tests.attacks.resnet18 import resnet18 as published_resnet18

SUBJECTS = ("quickstart", "resnet18", "vit_tiny")


@dataclass(frozen=True)
class Subject:
    """A model in evaluation mode with frozen parameters, and labelled images."""

    title: str
    model: nn.Module
    images: Tensor
    labels: Tensor


def subject(name: str, n: int, device: torch.device) -> Subject | None:
    """One of `SUBJECTS`; None, with a line, where its material is not there."""
    if name != "quickstart" and real_data() is None:
        print(f"left out: {name}, for ROBUST_TUNING_REAL_DATA is not set")
        return None
    found = _resnet18(n) if name == "resnet18" else _fine_tuned(name, n)
    # All contenders get frozen parameters: some would spend time on their gradients otherwise.
    model = found.model.to(device).eval().requires_grad_(requires_grad=False)
    return Subject(found.title, model, found.images.to(device), found.labels.to(device))


def _resnet18(n: int) -> Subject:
    folder = real_data()
    images, labels = cifar10(folder, n) if folder else (torch.empty(0), torch.empty(0))
    return Subject("ResNet-18, CIFAR-10", published_resnet18(), images, labels)


def _fine_tuned(name: str, n: int) -> Subject:
    course = COURSES[name]()
    course.go_to(course.end)
    return Subject(course.title, course.tuner.backbone, *course.examples(n))
