"""Several states of a model at several radii: by the official code cell by cell, and by ours."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from benchmarks.peers.autoattack import official_standard
from benchmarks.peers.counting import Counted, autoattack_budget, clock, lower_bound
from benchmarks.peers.examples import Examples, examples_for
from benchmarks.peers.fine_tuning import Course
from benchmarks.peers.naive import official_small
from benchmarks.peers.reporting import verdict
from robust_tuning.attacks import APGD, PGD, Adversary, Cascade, ThreatModel, Triage, evaluate
from robust_tuning.attacks import parse_fraction as parse

SIZE = 50
NAIVE = "official, cell by cell"
SOUND, INHERITED, TRIAGED = "sound", "inherit", "inherit + Triage"
BUDGETS = {"small": "APGD-CE 20 + APGD-T 2 x 20", "autoattack": "AutoAttack standard"}
GOALS = {SOUND: 0.85, TRIAGED: 0.1}


@dataclass
class Sums:
    """What one way took and found over all states.

    Attributes:
        passes: Forth and back.
        seconds: CPU time; None where nothing was run.
        cells: For each state and radius, which examples are robust `(n,)`.
        audited: Verdicts of shortcuts that were attacked at full length all the same.
        overstated: Verdicts that may be wrong at most, by the audits.
    """

    passes: int = 0
    seconds: float | None = 0.0
    cells: list[Tensor] = field(default_factory=list)
    audited: int = 0
    overstated: int = 0


@dataclass(frozen=True)
class Grid:
    """What is evaluated.

    Attributes:
        course: The model.
        steps: Which of its states.
        radii: Linf.
        n: Test images.
        audit: Survivors of the next larger radius attacked at each radius all the same.
        measure_naive: Run the official code also where that takes hours.
    """

    course: Course
    steps: Sequence[int]
    radii: Sequence[str]
    n: int
    audit: int
    measure_naive: bool

    def run(self, budget: str) -> None:
        """Evaluate every cell by all ways of a budget, and print what it took."""
        ways = self._ways(budget)
        sums = {name: Sums() for name in ways}
        computed = Sums(seconds=None)
        images, labels = self.course.examples(self.n)
        for step in self.steps:
            self.course.go_to(step)
            net = self.course.tuner.backbone.requires_grad_(requires_grad=False)
            examples = examples_for(net, images, labels, PGD())
            for name, way in ways.items():
                model = Counted(net).eval()
                began = clock(torch.device("cpu"))
                way(model, examples, sums[name])
                sums[name].seconds = (sums[name].seconds or 0) + clock(torch.device("cpu")) - began
                sums[name].passes += model.passes
            if NAIVE not in ways:
                cells = sums[TRIAGED].cells[-len(self.radii) :]
                classes = self.course.data.num_classes
                computed.passes += sum(_least(cell, examples, classes) for cell in cells)
        self._show(budget, sums if NAIVE in ways else {NAIVE: computed, **sums})

    def _ways(self, budget: str) -> dict[str, Callable[[nn.Module, Examples, Sums], None]]:
        if budget == "small":
            cascade = Cascade(
                [APGD(steps=20), *(APGD(loss="dlr_targeted", target=k, steps=20) for k in (1, 2))]
            )
            return {
                NAIVE: self._official(official_small),
                SOUND: self._ours(cascade, inherit=False),
                INHERITED: self._ours(cascade, inherit=True),
            }
        triaged = {TRIAGED: self._ours(Triage(), inherit=True)}
        if not self.measure_naive:
            return triaged
        return {NAIVE: self._official(official_standard), **triaged}

    def _ours(
        self, adversary: Adversary, *, inherit: bool
    ) -> Callable[[nn.Module, Examples, Sums], None]:
        def run(model: nn.Module, examples: Examples, sums: Sums) -> None:
            outcomes = evaluate(
                model,
                examples.batches(SIZE),
                [adversary.at(eps) for eps in self.radii],
                batch_size=SIZE,
                inherit=inherit,
                audit=self.audit,
            )
            for eps in self.radii:
                robust = outcomes.robust[ThreatModel("linf", parse(eps, "eps")).key]
                sums.cells.append(torch.from_numpy(robust))
            sums.audited += sum(a.sampled for a in outcomes.audits.values())
            sums.overstated += sum(a.overstated_at_most() for a in outcomes.audits.values())

        return run

    def _official(
        self, attack: Callable[[nn.Module, Examples, float, int], Tensor]
    ) -> Callable[[nn.Module, Examples, Sums], None]:
        def run(model: nn.Module, examples: Examples, sums: Sums) -> None:
            for eps in self.radii:
                sums.cells.append(attack(model, examples, parse(eps, "eps"), SIZE))

        return run

    def _show(self, budget: str, sums: dict[str, Sums]) -> None:
        cells = len(self.steps) * len(self.radii)
        print(f"\n**{BUDGETS[budget]}, {self.course.title}**: {len(self.steps)} states x linf ")
        print(f"{', '.join(self.radii)}, {self.n} images: {cells * self.n:,} verdicts\n")
        head = ("", "robust", "audited", "overstated at most", "passes", "x official", "CPU s")
        print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
        naive = sums[NAIVE]
        for name, found in sums.items():
            ran = found.seconds is not None
            row = [
                name if ran else f"{name}: at least, computed and not run",
                f"{sum(int(cell.sum()) for cell in found.cells):,}" if ran else "",
                *(f"{count}" if count else "" for count in (found.audited, found.overstated)),
                f"{found.passes:,}",
                f"{found.passes / naive.passes:.3f}",
                f"{found.seconds:.0f}" if found.seconds is not None else "",
            ]
            print(f"| {' | '.join(row)} |")
        print()
        for name, goal in GOALS.items():
            if name in sums:
                share = sums[name].passes / naive.passes
                word = verdict(share <= goal)
                print(f"- {word} {name} at most {goal:.2f} of the official passes: {share:.3f}.")


def _least(cell: Tensor, examples: Examples, classes: int) -> int:
    """Passes of AutoAttack on one cell that no code can go below."""
    robust, correct = int(cell.sum()), int(examples.correct.sum())
    budget = autoattack_budget(classes)
    return lower_bound(robust, correct - robust, len(examples) - correct, budget)
