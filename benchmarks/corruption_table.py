"""Accuracy under every corruption and severity as a table, from a run that was measured on them.

    robust-tuning evaluate RUN --shifts configs/shifts/corruptions.yaml --split test --steps STEP
    python -m benchmarks.corruption_table RUN/evaluations/RESULT

Rows are corruptions, columns severities and their mean, in percent, in Markdown. The last one has
the mean's 95 % interval, from `ood_summary.csv`, which `robust-tuning frontier RESULT` writes.
"""

import csv
import sys
from pathlib import Path

from robust_tuning.frontier import Estimate, Run


def rows(estimates: dict[str, Estimate]) -> list[tuple[str, list[float]]]:
    """Accuracies of each corruption in order of severity, and of all together."""
    found: dict[str, dict[int, float]] = {}
    for key, estimate in estimates.items():
        name, _, severity = key.rpartition("-")
        found.setdefault(name, {})[int(severity)] = estimate.value
    table = [(name, [by[s] for s in sorted(by)]) for name, by in found.items()]
    columns = zip(*(values for _, values in table), strict=True)
    return [*table, ("mean", [sum(column) / len(table) for column in columns])]


def intervals(folder: Path, step: int) -> dict[str, tuple[float, float]]:
    """By measure of a step, the ends of its interval."""
    with (folder / "ood_summary.csv").open(newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["low"] and int(line["step"]) == step]
    return {line["measure"]: (float(line["low"]), float(line["high"])) for line in lines}


def main(words: list[str]) -> None:
    """Print the table of the last point of a run."""
    folder = Path(words[0])
    point = Run(folder).points[-1]
    ends = intervals(folder, point.step)
    clean = point.accuracy
    print(f"clean: {100 * clean.value:.1f} [{100 * clean.low:.1f}, {100 * clean.high:.1f}]\n")
    table = rows({key: point.ood_accuracy[key] for key in point.shifts["corruptions"].keys})
    severities = range(1, len(table[0][1]) + 1)
    print(f"| corruption | {' | '.join(map(str, severities))} | mean |")
    print(f"|---|{'---|' * (len(severities) + 1)}")
    for name, values in table:
        low, high = ends["mean" if name == "mean" else f"group/{name}"]
        mean = 100 * sum(values) / len(values)
        cells = [*(f"{100 * value:.1f}" for value in values)]
        cells.append(f"{mean:.1f} [{100 * low:.1f}, {100 * high:.1f}]")
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main(sys.argv[1:])
