"""PGD and Auto-PGD of other libraries, linf, from the starting points of ours."""

from importlib import import_module

import torch
from torch import Tensor, nn

from benchmarks.peers.contenders import Contender, our, peer, survivors
from benchmarks.peers.examples import Examples, drawing
from robust_tuning.attacks import APGD, PGD


def pgd_contenders(attack: PGD, size: int) -> list[Contender]:
    """Ours by both rules, torchattacks, foolbox, adv-lib.

    adv-lib judges an iterate before it steps on, as ours does, but not the last: it is given one
    step more.
    """
    eps, alpha, steps = attack.threat.eps, float(attack.threat.eps / 4), attack.steps

    def torchattacks(model: nn.Module, part: Examples) -> Tensor:
        kind = import_module("torchattacks").PGD
        with drawing(part.draws):
            found = kind(model, eps=eps, alpha=alpha, steps=steps)(part.images, part.labels)
        return survivors(model, found, part)

    def foolbox(model: nn.Module, part: Examples) -> Tensor:
        library = import_module("foolbox")
        wrapped = library.PyTorchModel(model, bounds=(0, 1), device=part.images.device)
        method = library.attacks.LinfPGD(abs_stepsize=alpha, steps=steps, random_start=True)
        with drawing(part.draws):
            _, _, broken = method(wrapped, part.images, part.labels, epsilons=eps)
        robust: Tensor = part.correct & ~broken
        return robust

    def adv_lib(model: nn.Module, part: Examples) -> Tensor:
        method = import_module("adv_lib.attacks").pgd_linf
        with drawing(part.draws):
            found = method(
                model, part.images, part.labels, eps, steps=steps + 1, absolute_step_size=alpha
            )
        return survivors(model, found, part)

    return [
        our("**ours**", attack, size),
        our("**ours**, `select: last`", last_alone(attack), size, "last"),
        peer("torchattacks", torchattacks, size, "last", "torchattacks"),
        peer("foolbox", foolbox, size, "last", "foolbox"),
        peer("adv-lib", adv_lib, size, "any", "adv-lib"),
    ]


def last_alone(attack: PGD) -> PGD:
    """The same attack, which judges the last iterate only."""
    return PGD(eps=attack.eps, steps=attack.steps, select="last", seed=attack.seed)


def apgd_contenders(attack: APGD, size: int) -> list[Contender]:
    """Ours, the official code, torchattacks, adv-lib; all count any iterate.

    The official code and torchattacks leave misclassified examples alone by themselves, after a
    pass of their own.
    """
    eps, steps = attack.threat.eps, attack.steps

    def official(model: nn.Module, part: Examples) -> Tensor:
        kind = import_module("pyautoattack.autopgd_base").APGDAttack
        method = kind(model, n_iter=steps, eps=eps, device=part.images.device)
        with drawing(part.draws[part.correct]):
            found = method.perturb(part.images, part.labels)
        return survivors(model, found, part)

    def torchattacks(model: nn.Module, part: Examples) -> Tensor:
        kind = import_module("torchattacks").APGD
        with drawing(part.draws[part.correct]):
            found = kind(model, eps=eps, steps=steps)(part.images, part.labels)
        return survivors(model, found, part)

    def adv_lib(model: nn.Module, part: Examples) -> Tensor:
        method = import_module("adv_lib.attacks").apgd
        with drawing(part.draws):
            found = method(
                model,
                part.images,
                part.labels,
                eps,
                norm=torch.inf,
                n_iter=steps,
                loss_function="ce",
            )
        return survivors(model, found, part)

    return [
        our("**ours**", attack, size),
        peer("official (pyautoattack)", official, size, "any", "pyautoattack"),
        peer("torchattacks", torchattacks, size, "any", "torchattacks"),
        peer("adv-lib", adv_lib, size, "any", "adv-lib"),
    ]
