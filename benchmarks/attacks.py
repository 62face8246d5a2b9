"""Passes and time of attacks: other libraries' and ours, on the same examples.

    OMP_NUM_THREADS=1 python -m benchmarks.attacks [--model quickstart resnet18 vit_tiny]
        [--attacks pgd20 pgd50 apgd autoattack triage] [--eps 4/255 8/255] [--n 100] [--rounds 3]

Run from a checkout; beside the package, `pip install torchattacks foolbox adv-lib`. The models
`resnet18` (the CIFAR-10 network that ships with pyautoattack) and `vit_tiny` (a linear probe on
bird photographs) need the folder that the environment variable ROBUST_TUNING_REAL_DATA names;
`quickstart` (the shipped vision transformer, fine-tuned on digits) needs nothing.

PGD and Auto-PGD begin at the same points everywhere, step for step of the same length; AutoAttack's
starts belong to its batches. Every contender attacks all examples once per round, in turn. Passes
are counted at the model, for all in the same way: examples forward plus examples back. The lower
bound, LB, is what no code can go below (`peers.counting`). docs/attack_benchmarks.md says what came
out.
"""

import argparse
import statistics
from dataclasses import dataclass, field

import torch

from benchmarks.peers.autoattack import autoattack_contenders
from benchmarks.peers.contenders import Contender, Found, installed
from benchmarks.peers.counting import (
    Counted,
    autoattack_budget,
    clock,
    gradient_budget,
    lower_bound,
)
from benchmarks.peers.examples import Examples, examples_for
from benchmarks.peers.gradient import apgd_contenders, pgd_contenders
from benchmarks.peers.reporting import setting, spread, verdict
from benchmarks.peers.subjects import SUBJECTS, Subject, subject
from robust_tuning.attacks import APGD, PGD, AutoAttack, Triage

STEPS = {"pgd20": 20, "pgd50": 50, "apgd": 50}
TITLES = {
    "pgd20": "PGD-20",
    "pgd50": "PGD-50",
    "apgd": "APGD-CE-50",
    "autoattack": "AutoAttack standard",
    "triage": "AutoAttack's verdict",
}
PACKAGES = ("torch", "torchattacks", "foolbox", "adv-lib", "pyautoattack")


@dataclass
class Result:
    """What a contender found and what it took."""

    contender: Contender
    found: Found
    forth: int = 0
    back: int = 0
    seconds: list[float] = field(default_factory=list)

    @property
    def passes(self) -> int:
        """Forth and back."""
        return self.forth + self.back

    @property
    def robust(self) -> int:
        """Examples."""
        return int(self.found.robust.sum())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", nargs="+", choices=SUBJECTS, default=["quickstart"])
    parser.add_argument("--attacks", nargs="+", choices=TITLES, default=list(STEPS))
    parser.add_argument("--eps", nargs="+", default=["4/255", "8/255"])
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch-size", type=int, default=50)
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    print(setting(PACKAGES, device))
    for name in arguments.model:
        attacked = subject(name, arguments.n, device)
        if attacked is None:
            continue
        for eps in arguments.eps:
            for attack in arguments.attacks:
                compare(attack, attacked, eps, arguments.batch_size, arguments.rounds)


def compare(attack: str, attacked: Subject, eps: str, size: int, rounds: int) -> None:
    """All contenders of one attack: a table, and our goals below it."""
    steps = STEPS.get(attack, 100)
    plain = APGD(eps=eps, steps=steps) if attack == "apgd" else PGD(eps=eps, steps=steps)
    examples = examples_for(attacked.model, attacked.images, attacked.labels, plain)
    with torch.no_grad():
        classes = attacked.model(attacked.images[:1]).shape[1]
    if attack not in STEPS:
        whole = AutoAttack(eps=eps) if attack == "autoattack" else Triage(eps=eps)
        contenders, budget = autoattack_contenders(whole, size), autoattack_budget(classes)
    else:
        budget = gradient_budget(steps)
        contenders = (
            apgd_contenders(plain, size) if isinstance(plain, APGD) else pgd_contenders(plain, size)
        )
    results = measure(installed(contenders), attacked, examples, rounds)
    correct, n = int(examples.correct.sum()), len(examples)
    print(
        f"\n**{TITLES[attack]}, {attacked.title}, linf {eps}**: {n} images, {correct} classified "
    )
    print(f"correctly, {rounds} round(s), batches of {size}\n")
    bounds = [lower_bound(r.robust, correct - r.robust, n - correct, budget) for r in results]
    show(results, bounds, n)
    goals(attack, results, bounds[0], examples)


def measure(
    contenders: list[Contender], attacked: Subject, examples: Examples, rounds: int
) -> list[Result]:
    """Every contender once per round, in one direction and then in the other."""
    device = examples.labels.device
    results: dict[str, Result] = {}
    for number in range(rounds):
        for contender in reversed(contenders) if number % 2 else contenders:
            if not number:  # what is imported at the first call is not the attack's
                contender.run(attacked.model, examples.one_misclassified())
            counted = Counted(attacked.model).eval()
            began = clock(device)
            found = contender.run(counted, examples)
            took = clock(device) - began
            result = results.setdefault(contender.name, Result(contender, found))
            result.forth, result.back = counted.forth, counted.back
            result.seconds.append(took)
    return list(results.values())


def show(results: list[Result], bounds: list[int], n: int) -> None:
    """A table; differing examples are counted against ours by the same rule."""
    mine = {r.contender.rule: r for r in reversed(results) if r.contender.ours}
    first = results[0]
    cells = [
        "",
        "counts",
        "robust",
        "differ",
        "forward + back",
        "passes",
        "x LB",
        "CPU s",
        "x ours",
    ]
    print(f"| {' | '.join(cells)} |\n|{'---|' * len(cells)}")
    for result, bound in zip(results, bounds, strict=True):
        other = mine[result.contender.rule]
        ratios = [a / b for a, b in zip(result.seconds, first.seconds, strict=True)]
        cells = [
            result.contender.name,
            result.contender.rule,
            f"{result.robust / n:.3f}",
            "" if result is other else str(int((result.found.robust ^ other.found.robust).sum())),
            f"{result.forth:,} + {result.back:,}",
            f"{result.passes:,}",
            "" if result.found.audit is not None else f"{result.passes / bound:.2f}",
            spread(result.seconds),
            f"{statistics.median(ratios):.2f}",
        ]
        print(f"| {' | '.join(cells)} |")
    print()


def goals(attack: str, results: list[Result], bound: int, examples: Examples) -> None:
    """What we want, and what explains what is missed."""
    ours = results[0]
    if attack not in STEPS:
        if len(results) > 1:
            autoattack_goals(ours, results[1], len(examples))
        return
    ratio = ours.passes / bound
    print(f"- {verdict(ratio <= 1.15)} at most 1.15 x LB: {ratio:.2f}.")
    taken = ours.found.steps[examples.correct & ~ours.found.robust].double()
    if len(taken):
        walked = 1 + 2 * float(taken.sum()) / bound
        print(
            f"  The {len(taken)} broken examples fell after {taken.mean():.1f} steps on average. "
            f"LB counts none of these; with them it is {walked:.2f} x LB."
        )


def autoattack_goals(ours: Result, official: Result, n: int) -> None:
    """AutoAttack or Triage against the official code."""
    mine, theirs = ours.found.robust, official.found.robust
    ratio, audit = ours.passes / official.passes, ours.found.audit
    if audit is None:
        print(f"- {verdict(ratio <= 0.95)} at most 0.95 x the official passes: {ratio:.3f}.")
        word = verdict(int((mine ^ theirs).sum()) <= 1)
        both = int((mine & theirs).sum())
        print(f"- {word} the official robust set but for the seed's noise: {both} in both,")
        print(f"  {ours.robust} ours, {official.robust} official.")
        return
    off = ours.robust - official.robust
    print(f"- {verdict(ratio <= 0.1)} at most 1/10 of the official passes: {ratio:.3f}.")
    print(
        f"- {verdict(abs(off) <= 1)} within one example of the official verdict: {off:+d} of {n}."
    )
    print(f"- Its audit: {audit.left_alone} left alone, {audit.sampled} of them attacked all the")
    print(f"  same, {audit.broken} fell: at most {audit.overstated_at_most()} overstated at 95 %.")


if __name__ == "__main__":
    main()
