"""What `robust-tuning frontier` costs against the number of points.

    OMP_NUM_THREADS=1 python -m benchmarks.frontier_scale [--runs 10 100 1000] [--points 10]
        [--examples 1000] [--threats 1] [--replicates 1000] [--pool strategy]

Run from a checkout. For each number of runs it makes them in a temporary folder (seven strategies,
each with its share of the runs as seeds), then runs the command as a process of its own and prints
the wall and processor seconds of that process and the most memory that it held. The time per point
of the last row over that of the row before tells whether the cost is linear.
"""

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np

from robust_tuning.frontier import (
    AttackIdentity,
    Cost,
    Estimate,
    ExampleOutcomes,
    FrontierPoint,
)
from robust_tuning.frontier.outcomes import outcomes_path

STRATEGIES = ("Adapter", "BitFit", "Compacter", "FullFineTuning", "IA3", "LinearProbe", "LoRA")
PGD = AttackIdentity("robust_tuning.attacks.PGD", {"steps": 15}, "5f3a9c01d2")


@dataclass(frozen=True)
class Size:
    """Of what is made.

    Attributes:
        runs: Folders.
        points: Of each run.
        examples: Of each point.
        threats: Of each point.
    """

    runs: int
    points: int
    examples: int
    threats: int


def make_runs(folder: Path, size: Size) -> None:
    """Write runs whose accuracy rises and whose robust accuracy falls, as those of the study."""
    hardness = np.random.default_rng(0).standard_normal((2, size.examples))
    for number in range(size.runs):
        strategy = STRATEGIES[number % len(STRATEGIES)]
        seed = number // len(STRATEGIES)
        run = folder / f"{strategy}-{seed}"
        (run / "outcomes").mkdir(parents=True)
        generator = np.random.default_rng([number, 1])
        lines = [
            _write_point(run, strategy, seed, step, size, hardness, generator)
            for step in range(size.points)
        ]
        (run / "frontier.jsonl").write_text("".join(f"{line}\n" for line in lines))


def _write_point(
    run: Path,
    strategy: str,
    seed: int,
    step: int,
    size: Size,
    hardness: np.ndarray,
    generator: np.random.Generator,
) -> str:
    progress = (step + 1) / size.points
    noisy = 0.8 * hardness + 0.6 * generator.standard_normal(hardness.shape)
    accuracy = 0.93 * (1 - np.exp(-4 * progress))
    clean = noisy[0] < NormalDist().inv_cdf(accuracy)
    peak = 0.4 + 0.03 * STRATEGIES.index(strategy)
    robust = {
        f"linf-{2**place}/255": clean
        & (noisy[1] < NormalDist().inv_cdf(peak * float(np.exp(-progress)) / 1.6**place))
        for place in range(size.threats)
    }
    index = np.arange(size.examples)
    path = outcomes_path(run, 50 * step)
    _savez_without_flushing(ExampleOutcomes(index, index % 257, clean, robust), path)
    point = FrontierPoint(
        run=run.name,
        time="2025-06-01T12:00:00+00:00",
        code_version="0",
        config_hash="0",
        benchmark="caltech256",
        backbone="vit_base_patch16_224",
        strategy=strategy,
        strategy_args={},
        objective="CrossEntropy",
        seed=seed,
        split="validation",
        step=50 * step,
        epoch=0,
        trainable_parameters=100_000,
        total_parameters=86_000_000,
        accuracy=Estimate.of(int(clean.sum()), size.examples),
        robust_accuracy={k: Estimate.of(int(v.sum()), size.examples) for k, v in robust.items()},
        ood_accuracy={},
        attack=PGD,
        cost=Cost(1.0, 1, 1),
    )
    return point.to_json()


def _savez_without_flushing(outcomes: ExampleOutcomes, path: Path) -> None:
    """Flushing ten thousand files to the disk would take longer than all the rest."""
    with patch("os.fsync"):
        outcomes.write(path)


def measure(folder: Path, output: Path, words: list[str]) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and GiB of the command in a process of its own."""
    code = (
        "import resource, sys; from robust_tuning.cli.frontier import main\n"
        "status = main(sys.argv[1:])\n"
        "used = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print(used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr)\n"
        "sys.exit(status)"
    )
    command = [sys.executable, "-c", code, str(folder), "--output", str(output), *words]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    wall = time.perf_counter() - start
    cpu, peak = map(float, done.stderr.splitlines()[-1].split())
    unit = 1 if sys.platform == "darwin" else 1024
    return wall, cpu, peak * unit / 2**30


def main() -> None:
    """Print a row per number of runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--points", type=int, default=10)
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--threats", type=int, default=1)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--pool", default="strategy")
    arguments = parser.parse_args()
    words = ["--replicates", str(arguments.replicates), "--pool", arguments.pool]
    print(f"{'points':>8} {'wall s':>8} {'cpu s':>8} {'ms/point':>9} {'GiB':>6}")
    for runs in arguments.runs:
        size = Size(runs, arguments.points, arguments.examples, arguments.threats)
        with TemporaryDirectory() as folder:
            make_runs(Path(folder) / "runs", size)
            wall, cpu, gib = measure(Path(folder) / "runs", Path(folder) / "out", words)
        points = runs * arguments.points
        print(f"{points:8,} {wall:8.2f} {cpu:8.2f} {1000 * cpu / points:9.2f} {gib:6.2f}")


if __name__ == "__main__":
    main()
