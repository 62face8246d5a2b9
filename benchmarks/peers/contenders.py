"""Who takes part in a comparison."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import torch
from torch import Tensor, nn

from benchmarks.peers.examples import Examples
from robust_tuning.attacks import Adversary, Audit, evaluate


@dataclass(frozen=True)
class Found:
    """The verdicts of one run.

    Attributes:
        robust: Whether an example is classified correctly and the attack failed `(n,)`.
        steps: Gradient steps spent on each, where that is known `(n,)`.
        audit: Of examples taken for robust by a shortcut.
    """

    robust: Tensor
    steps: Tensor = field(default_factory=lambda: torch.zeros(0))
    audit: Audit | None = None


@dataclass(frozen=True)
class Contender:
    """A way to attack examples.

    Attributes:
        name: For the table.
        rule: Which iterates count.
        run: Attacks.
        package: Distribution that it needs beside ours.
        ours: Whether it is of this project.
    """

    name: str
    rule: Literal["any", "last"]
    run: Callable[[nn.Module, Examples], Found]
    package: str | None = None
    ours: bool = False


Verdict = Callable[[nn.Module, Examples], Tensor]


def our(
    name: str, adversary: Adversary, size: int, rule: Literal["any", "last"] = "any"
) -> Contender:
    """One of our attacks under `evaluate` as it is by default, its sanity checks included."""

    def run(model: nn.Module, examples: Examples) -> Found:
        outcomes = evaluate(model, examples.batches(size), adversary, batch_size=size)
        key = adversary.threat.key
        robust, steps = (
            torch.from_numpy(found[key]).to(examples.labels.device)
            for found in (outcomes.robust, outcomes.steps)
        )
        return Found(robust, steps, outcomes.audits.get(key))

    return Contender(name, rule, run, ours=True)


def peer(
    name: str, verdict: Verdict, size: int, rule: Literal["any", "last"], package: str
) -> Contender:
    """Another library's attack, batch by batch on all examples, as its users call it."""

    def run(model: nn.Module, examples: Examples) -> Found:
        return Found(torch.cat([verdict(model, part) for part in examples.parts(size)]))

    return Contender(name, rule, run, package)


def survivors(model: nn.Module, images: Tensor, examples: Examples) -> Tensor:
    """Which images that an attack has returned are still classified correctly `(n,)`; one pass."""
    with torch.no_grad():
        robust: Tensor = (model(images).argmax(1) == examples.labels) & examples.correct
    return robust


def installed(contenders: list[Contender]) -> list[Contender]:
    """Those whose package is there; the others are named, once."""
    there = []
    for contender in contenders:
        if contender.package is None or version_of(contender.package) is not None:
            there.append(contender)
        else:
            _name_missing(contender.package)
    return there


@cache
def _name_missing(package: str) -> None:
    print(f"left out: {package}, for it is not installed")


def version_of(package: str) -> str | None:
    """Its version, or None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
