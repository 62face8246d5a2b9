"""What an evaluation and a sweep cost against examples, radii, checkpoints, ranks and workers.

    OMP_NUM_THREADS=1 python -m benchmarks.scaling
        [--parts examples eps checkpoints ranks workers] [--model quickstart|vit_tiny]
        [--device cpu] [--rounds 3] [--eps 8/255] [--steps 15] [--n 100]

Run from a checkout. `examples`, `eps` and `checkpoints` evaluate a fine-tuned model in this process
(`peers.fine_tuning`), every size once per round, in turn; the last column is the cost of one unit
over that of the smallest size, which a linear cost keeps at 1. `ranks` runs `robust-tuning fit` on
1 and 2 processes and reads the seconds of its evaluation; `workers` runs a sweep of eight short
runs with 1 and 2 workers. docs/scaling.md says what came out.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import torch

from benchmarks.peers.counting import Counted, clock
from benchmarks.peers.fine_tuning import COURSES, Course
from benchmarks.peers.reporting import setting, spread
from robust_tuning.attacks import PGD, evaluate

Job = tuple[int, Callable[[], int]]  # a size, and what evaluates it and tells its passes

PACKAGES = ("torch", "lightning", "optuna")
PARTS = ("examples", "eps", "checkpoints", "ranks", "workers")

SWEEP = """\
method: grid
metric: {name: frontier/area, goal: maximize}
parameters:
  model.strategy: {values: [LinearProbe, BitFit]}
  seed_everything: {values: [0, 1, 2, 3]}
command:
  - robust-tuning
  - fit
  - --config
  - configs/quickstart.yaml
  - --trainer.max_steps=20
  - --adversarial.n=100
  - ${args}
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--model", choices=COURSES, default="quickstart")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--eps", default="8/255", help="the largest radius")
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--n", type=int, default=100, help="the most examples")
    chosen = parser.parse_args()
    device = torch.device(chosen.device)
    print(setting(PACKAGES, device))
    if set(chosen.parts) & {"examples", "eps", "checkpoints"}:
        bench = Evaluations(COURSES[chosen.model](), device, chosen)
        for part in chosen.parts:
            if hasattr(bench, part):
                growth(part, getattr(bench, part)(), chosen.rounds, device)
    if "ranks" in chosen.parts:
        speed_up("ranks: seconds of one evaluation", _ranks, chosen.rounds)
    if "workers" in chosen.parts:
        speed_up("workers: runs per hour", _workers, 1)


class Evaluations:
    """Evaluations of one model, in three directions of growth."""

    def __init__(self, course: Course, device: torch.device, chosen: argparse.Namespace) -> None:
        self.course, self.device, self.chosen = course, device, chosen
        course.go_to(course.end)
        self.images, self.labels = (part.to(device) for part in course.examples(chosen.n))
        self.net = course.tuner.backbone.to(device).eval().requires_grad_(requires_grad=False)

    def examples(self) -> Iterator[Job]:
        """A quarter, half and all of them, at the largest radius."""
        for part in (4, 2, 1):
            n = len(self.labels) // part
            yield n, partial(self._evaluate, n, [1.0])

    def eps(self) -> Iterator[Job]:
        """The one, two, four and eight smallest of eight radii of equal distance."""
        for many in (1, 2, 4, 8):
            shares = [place / 8 for place in range(1, many + 1)]
            yield many, partial(self._evaluate, len(self.labels), shares)

    def checkpoints(self) -> Iterator[Job]:
        """One to eight states of the model, from the last one back."""
        states = list(reversed(self.course.some_steps(8)))
        for many in (1, 2, 4, len(states)):
            yield many, partial(self._walk, states[:many])

    def _walk(self, states: Sequence[int]) -> int:
        passes = 0
        for step in states:
            self.course.go_to(step)
            passes += self._evaluate(len(self.labels), [1.0])
        self.course.go_to(self.course.end)
        return passes

    def _evaluate(self, n: int, shares: Sequence[float]) -> int:
        top = float(PGD(eps=self.chosen.eps).threat.eps)
        adversaries = [PGD(eps=share * top, steps=self.chosen.steps) for share in shares]
        model = Counted(self.net).eval()
        evaluate(model, [(self.images[:n], self.labels[:n])], adversaries, batch_size=n)
        return model.passes


def growth(title: str, sizes: Iterator[Job], rounds: int, device: torch.device) -> None:
    """A table of cost against size."""
    jobs = list(sizes)
    seconds: dict[int, list[float]] = {size: [] for size, _ in jobs}
    passes: dict[int, int] = {}
    for round_ in range(rounds + 1):  # the first one warms up
        for size, job in jobs:
            began = clock(device)
            passes[size] = job()
            if round_:
                seconds[size].append(clock(device) - began)
    print(f"\n| {title} | passes | seconds | per unit, passes | per unit, seconds |")
    print("|---|---|---|---|---|")
    smallest = jobs[0][0]
    unit = statistics.median(seconds[smallest]) / smallest, passes[smallest] / smallest
    for size, _ in jobs:
        took = statistics.median(seconds[size]) / size / unit[0]
        went = passes[size] / size / unit[1]
        print(
            f"| {size} | {passes[size]:,} | {spread(seconds[size], 2)} | {went:.2f} | {took:.2f} |"
        )


def speed_up(title: str, measure: Callable[[int], float], rounds: int) -> None:
    """The same work by one and by two."""
    found: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for many, values in found.items():
            values.append(measure(many))
    one, two = (statistics.median(values) for values in found.values())
    print(f"\n{title}: by 1: {spread(found[1])}, by 2: {spread(found[2])}, ratio {two / one:.2f}")


def _ranks(many: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        _robust_tuning(
            *("fit", "--config", "configs/quickstart.yaml", "--run", str(run)),
            *("--trainer.accelerator", "cpu", "--trainer.devices", str(many)),
            *("--trainer.strategy", "ddp" if many > 1 else "auto", "--trainer.max_steps", "20"),
            *("--adversarial.n", "200", "--adversarial.schedule", "{preset: null, steps: [20]}"),
            *("--adversarial.eps", "[2/255, 4/255]", "--adversarial.attack.steps", "50"),
        )
        point = json.loads((run / "frontier.jsonl").read_text().splitlines()[-1])
        return float(point["cost"]["seconds"])


def _workers(many: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scaling.yaml"
        file.write_text(SWEEP)
        began = time.perf_counter()
        _robust_tuning("sweep", str(file), "--workers", str(many), "--folder", f"{folder}/runs")
        return 8 * 3600 / (time.perf_counter() - began)


def _robust_tuning(*words: str) -> None:
    command = [sys.executable, "-m", "robust_tuning", *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
