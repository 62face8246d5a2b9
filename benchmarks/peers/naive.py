"""What evaluations cost where nobody has thought of it: each example takes the whole way."""

from collections.abc import Iterable
from importlib import import_module

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.peers.examples import Examples
from robust_tuning.types import Batch


def study_evaluation(
    model: nn.Module,
    train: Iterable[Batch],
    test: Iterable[Batch],
    noise: dict[int, Tensor],
    eps: float,
) -> tuple[float, Tensor]:
    """What the study (arXiv 2503.14836) does at a logged step, written anew from its description.

    The accuracy on the whole training set, and PGD of 15 steps of `eps / 4` on every test image,
    whose last iterate is judged. Parameters stay as trainable as they are.

    Args:
        model: In evaluation mode.
        train: Prepared images, see `prepared`.
        test: The same.
        noise: Where PGD begins, by index of the example: an offset from the image `(C, H, W)`.
        eps: Radius, linf.

    Returns:
        Accuracy on the training set, and whether a test image survives `(n,)`.
    """
    right = []
    for images, labels, _ in train:
        with torch.no_grad():
            right.append(model(images).argmax(1) == labels)
    survived = []
    for images, labels, indices in test:
        begin = torch.stack([noise[index] for index in indices.tolist()])
        attacked = (images + begin).clamp(0, 1)
        for _ in range(15):
            attacked.requires_grad_()
            loss = functional.cross_entropy(model(attacked), labels)
            (gradient,) = torch.autograd.grad(loss, attacked)
            moved = attacked.detach() + eps / 4 * gradient.sign()
            attacked = (images + (moved - images).clamp(-eps, eps)).clamp(0, 1)
        with torch.no_grad():
            survived.append(model(attacked).argmax(1) == labels)
    return float(torch.cat(right).double().mean()), torch.cat(survived)


def official_small(model: nn.Module, examples: Examples, eps: float, size: int) -> Tensor:
    """The official APGD, 20 steps on the cross-entropy and towards each of two classes `(n,)`."""
    library = import_module("pyautoattack.autopgd_base")
    common = {"n_iter": 20, "eps": eps, "seed": 0, "device": examples.images.device}
    plain = library.APGDAttack(model, **common)
    targeted = library.APGDAttack_targeted(model, n_target_classes=2, **common)
    robust = []
    for part in examples.parts(size):
        standing = part.correct.clone()
        for attack in (plain, targeted):
            places = standing.nonzero().flatten()
            if len(places):
                images, labels = part.images[places], part.labels[places]
                found = attack.perturb(images, labels)
                with torch.no_grad():
                    standing[places] = model(found).argmax(1) == labels
        robust.append(standing)
    return torch.cat(robust)
