"""Evaluating while fine-tuning: the study's loop and ours on the same states of a model.

    OMP_NUM_THREADS=1 python -m benchmarks.continuous [--model quickstart vit_tiny]
        [--eps 1/255 8/255] [--n 300] [--checkpoints 4] [--rounds 3]
    OMP_NUM_THREADS=1 python -m benchmarks.continuous --grid [--budget small autoattack]
        [--eps 1/255 2/255 4/255 8/255] [--n 64] [--checkpoints 10] [--measure-naive]

Run from a checkout. `quickstart` (the shipped vision transformer, fine-tuned on digits by LoRA)
needs nothing; `vit_tiny` (a linear probe on bird photographs) needs the folder that the environment
variable ROBUST_TUNING_REAL_DATA names. Models are fine-tuned once and kept in the folder for
temporary files.

The first part compares one evaluation of each state: what the study does (`peers.naive`) with what
`AdversarialEvaluation` does, through the same loaders, on the same test images, from the same
starting points. `--n` takes some of the test split, and the same share of the training set. The
second part, `--grid`, evaluates several states at several radii (`peers.grid`).
docs/attack_benchmarks.md says what came out.
"""

import argparse
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.peers.counting import Counted, clock, gradient_budget, lower_bound
from benchmarks.peers.examples import starting_noise
from benchmarks.peers.fine_tuning import COURSES, Course, real_data
from benchmarks.peers.grid import BUDGETS, Grid
from benchmarks.peers.naive import study_evaluation
from benchmarks.peers.reporting import setting, spread, verdict
from robust_tuning.attacks import PGD, evaluate
from robust_tuning.callbacks.adversarial import folding
from robust_tuning.callbacks.evaluation import prepared
from robust_tuning.types import Batch

STEPS = 15
STUDY, DEFAULT, EXACT = "study", "default", "exact"
GOALS = {DEFAULT: 0.1, EXACT: 1 / 3}


@dataclass
class Evaluated:
    """One way of evaluating one state.

    Attributes:
        robust: Whether an example survives `(n,)`.
        passes: Forth and back.
        seconds: In each round.
    """

    robust: Tensor
    passes: int
    seconds: list[float] = field(default_factory=list)


@dataclass
class State:
    """All ways on one state, and what bounds them."""

    step: int
    correct: int
    ways: dict[str, Evaluated]

    def least(self, way: str) -> int:
        """Passes that no code can go below; judging the last iterate, the broken go on too."""
        n, robust = len(self.ways[way].robust), int(self.ways[way].robust.sum())
        walking = robust if way == DEFAULT else self.correct
        return lower_bound(
            walking, self.correct - walking, n - self.correct, gradient_budget(STEPS)
        )


class Evaluations:
    """The loaders and the two sides.

    Args:
        course: The model.
        eps: Radius, linf.
        n: Test examples; None takes all.
    """

    def __init__(self, course: Course, eps: str, n: int | None) -> None:
        self.attacks = {DEFAULT: PGD(eps=eps), EXACT: PGD(eps=eps, select="last")}
        self._course = course
        sizes = course.data.split_sizes
        self.n = sizes["test"] if n is None else n
        self.n_train = round(sizes["train"] * self.n / sizes["test"])
        self._test, self._train = self._loader("test", self.n), self._loader("train", self.n_train)
        self._noise: dict[int, Tensor] = {}
        for images, _, indices in prepared(course.tuner, self._test):
            noise = starting_noise(self.attacks[DEFAULT], indices, images.shape[1:])
            self._noise |= dict(zip(indices.tolist(), noise, strict=True))

    def study(self) -> tuple[Tensor, int]:
        """The study's evaluation: which examples survive, and passes."""
        tuner = self._course.tuner
        model = Counted(tuner.backbone).eval()
        train, test = prepared(tuner, self._train), prepared(tuner, self._test)
        _, robust = study_evaluation(
            model, train, test, self._noise, self.attacks[DEFAULT].threat.eps
        )
        return robust, model.passes

    def ours(self, way: str) -> tuple[Tensor, int]:
        """What `AdversarialEvaluation` does."""
        tuner = self._course.tuner
        outcomes = evaluate(
            tuner.backbone,
            prepared(tuner, self._test),
            self.attacks[way],
            batch_size=64,
            folded=folding(tuner),
            total=self.n,
        )
        (robust,) = outcomes.robust.values()
        return torch.from_numpy(robust), outcomes.forward + outcomes.backward

    def correct(self) -> int:
        """How many test images are classified correctly."""
        right = 0
        for images, labels, _ in prepared(self._course.tuner, self._test):
            with torch.no_grad():
                right += int((self._course.tuner.backbone(images).argmax(1) == labels).sum())
        return right

    def _loader(self, split: str, n: int) -> DataLoader[Batch]:
        data = self._course.data
        return data.evaluation_loader(data.evaluation_examples(split, n))  # type: ignore[arg-type]  # one of them


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", choices=COURSES, default="quickstart")
    parser.add_argument("--eps", nargs="+", help="radii; by default 1/255 8/255, of the grid four")
    parser.add_argument("--n", type=int, help="test images; by default all, of the grid 64")
    parser.add_argument("--checkpoints", type=int, help="by default 4, of the grid 10")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--grid", action="store_true")
    parser.add_argument("--budget", nargs="+", choices=BUDGETS, default=list(BUDGETS))
    parser.add_argument("--audit", type=int, default=10, help="of the grid, per radius")
    parser.add_argument("--measure-naive", action="store_true", help="may take hours")
    given = parser.parse_args()
    print(setting(("torch", "pyautoattack"), torch.device("cpu")))
    if given.model != "quickstart" and real_data() is None:
        print(f"left out: {given.model}, for ROBUST_TUNING_REAL_DATA is not set")
        return
    course = COURSES[given.model]()
    many = given.checkpoints or (10 if given.grid else 4)
    steps = course.some_steps(many)
    if given.grid:
        radii = given.eps or ["1/255", "2/255", "4/255", "8/255"]
        grid = Grid(course, steps, radii, given.n or 64, given.audit, given.measure_naive)
        for budget in given.budget:
            grid.run(budget)
        return
    for eps in given.eps or ["1/255", "8/255"]:
        evaluations = Evaluations(course, eps, given.n)
        show(course, eps, evaluations, measure(course, evaluations, steps, given.rounds))


def measure(course: Course, evaluations: Evaluations, steps: list[int], rounds: int) -> list[State]:
    """Every way on every state once per round, in one direction and then in the other."""
    sides: dict[str, Callable[[], tuple[Tensor, int]]] = {
        STUDY: evaluations.study,
        DEFAULT: lambda: evaluations.ours(DEFAULT),
        EXACT: lambda: evaluations.ours(EXACT),
    }
    states = []
    for step in steps:
        course.go_to(step)
        state = State(step, evaluations.correct(), {})
        for number in range(rounds):
            for name in reversed(sides) if number % 2 else sides:
                began = clock(torch.device("cpu"))
                robust, passes = sides[name]()
                took = clock(torch.device("cpu")) - began
                way = Evaluated(robust, passes)
                state.ways.setdefault(name, way).seconds.append(took)
        states.append(state)
    return states


def show(course: Course, eps: str, evaluations: Evaluations, states: list[State]) -> None:
    """A table, and our goals below it."""
    n, rounds = evaluations.n, len(states[0].ways[STUDY].seconds)
    print(f"\n**{course.title}, PGD-{STEPS}, linf {eps}**: {n} test images, {evaluations.n_train} ")
    print(f"training images forward in the study's loop, {rounds} round(s)\n")
    print(
        "| step | accuracy | robust: study | default | exact | passes: study | default | exact ",
        end="",
    )
    print("| CPU s: study | default | exact |")
    print("|" + "---|" * 11)
    for state in states:
        ways = state.ways.values()
        cells = [str(state.step), f"{state.correct / n:.3f}"]
        cells += [f"{int(way.robust.sum()) / n:.3f}" for way in ways]
        cells += [f"{way.passes:,}" for way in ways]
        cells += [f"{statistics.median(way.seconds):.2f}" for way in ways]
        print(f"| {' | '.join(cells)} |")
    print()
    for name, goal in GOALS.items():
        show_goal(name, goal, states)
    higher = sum(int((s.ways[DEFAULT].robust & ~s.ways[STUDY].robust).sum()) for s in states)
    other = sum(int((s.ways[EXACT].robust ^ s.ways[STUDY].robust).sum()) for s in states)
    print(
        f"- {verdict(not higher)} never a higher robust accuracy: {higher} verdicts higher by the"
    )
    print(f"  default attack; by the exact protocol {other} verdicts of {n * len(states)} differ.")


def show_goal(name: str, goal: float, states: list[State]) -> None:
    """Share of the study's time over all states, and of its passes, with what bounds it."""

    def total(way: str, number: int) -> float:
        return sum(state.ways[way].seconds[number] for state in states)

    rounds = range(len(states[0].ways[STUDY].seconds))
    times = [total(name, number) / total(STUDY, number) for number in rounds]
    passes = sum(state.ways[STUDY].passes for state in states)
    share = sum(state.ways[name].passes for state in states) / passes
    least = sum(state.least(name) for state in states) / passes
    print(
        f"- {verdict(statistics.median(times) <= goal)} {name} in {goal:.2f} of the study's time: "
    )
    print(
        f"  {spread(times, 2)}; {share:.2f} of its passes, of which {least:.2f} is the least that "
    )
    print("  these verdicts can be had for.")


if __name__ == "__main__":
    main()
