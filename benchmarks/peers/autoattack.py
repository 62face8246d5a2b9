"""The official AutoAttack, and what we have for it."""

import logging
from importlib import import_module

from torch import Tensor, nn

from benchmarks.peers.contenders import Contender, Found, our
from benchmarks.peers.examples import Examples
from robust_tuning.attacks import AutoAttack, Triage


def autoattack_contenders(ours: AutoAttack | Triage, size: int) -> list[Contender]:
    """One of ours and the official code.

    Random starts differ: those of the official code belong to its batches.
    """

    def official(model: nn.Module, examples: Examples) -> Found:
        return Found(official_standard(model, examples, ours.threat.eps, size))

    return [
        our(f"**ours**, {type(ours).__name__}", ours, size),
        Contender("official (pyautoattack)", "any", official, "pyautoattack"),
    ]


def official_standard(model: nn.Module, examples: Examples, eps: float, size: int) -> Tensor:
    """Which examples AutoAttack's standard version leaves robust `(n,)`, linf."""
    logging.getLogger("auto-attack").setLevel(logging.ERROR)
    kind, images = import_module("pyautoattack").AutoAttack, examples.images
    attack = kind(model, eps=eps, norm="Linf", seed=0, version="standard", device=images.device)
    _, answers = attack.run_standard_evaluation(images, examples.labels, batch_size=size)
    robust: Tensor = answers == examples.labels
    return robust
