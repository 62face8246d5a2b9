import csv
from pathlib import Path

import pytest

from robust_tuning.frontier import Run, read_points
from robust_tuning.frontier.shift_comparison import compare_shifts
from robust_tuning.frontier.shift_export import save_shift_csv
from robust_tuning.frontier.shift_panel import Reference, ShiftSettings
from tests.frontier.synthetic_shifts import write_shifted_run

STEPS = (0, 100, 300)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(
        write_shifted_run(
            tmp_path / "run",
            examples=50,
            steps=STEPS,
            severities=(1, 3),
            corruptions={"fog": 0.5, "snow": 1.0},
            domains={"sketch": 1.0},
        )
    )


def test_ood_has_a_row_per_point_and_set(run: Run, tmp_path: Path) -> None:
    panels = compare_shifts([run], ShiftSettings(replicates=10))
    file, _ = save_shift_csv(panels, tmp_path / "out")
    assert file.name == "ood.csv"
    rows = {(int(row["step"]), row["key"]): row for row in read(file)}
    assert len(rows) == len(read(file)) == 3 * 5
    for point in read_points(run.folder):
        for key, estimate in point.ood_accuracy.items():
            row = rows[point.step, key]
            found = tuple(float(row[name]) for name in ("accuracy", "n", "low", "high"))
            assert found == (estimate.value, estimate.n, estimate.low, estimate.high)
            assert float(row["ece"]) == point.calibration[key].value
            assert float(row["clean_accuracy"]) == point.accuracy.value
    snow, sketch = rows[100, "snow-3"], rows[100, "domain-sketch"]
    assert (snow["shift"], snow["group"], snow["severity"]) == ("corruptions", "snow", "3")
    assert (sketch["shift"], sketch["group"], sketch["severity"]) == ("domain", "sketch", "")
    assert snow["shift_fingerprint"] == "c0a1"


def test_the_summary_has_a_row_per_measure_of_points_strategies_and_all(
    run: Run, tmp_path: Path
) -> None:
    settings = ShiftSettings(0.9, 10, Reference(run, 0))
    panels = compare_shifts([run], settings)
    _, file = save_shift_csv(panels, tmp_path / "out")
    assert file.name == "ood_summary.csv"
    rows = {(row["shift"], row["strategy"], row["step"], row["measure"]): row for row in read(file)}
    assert len(rows) == len(read(file))
    panel = panels[0]
    for measured in panel.curves[0].points:
        for name, measure in measured.measures.items():
            row = rows["corruptions", "LoRA", str(measured.point.step), name]
            assert (float(row["value"]), int(row["n"])) == (measure.value, measure.n)
            if measure.interval:
                assert (float(row["low"]), float(row["high"])) == measure.interval
            assert row["confidence"] == ("0.95" if name.startswith("ece/") else "0.9")
            assert row["reference"] == ("run:0" if "mce" in name else "")
    assert panel.line is not None
    slope = rows["corruptions", "", "", "line/slope"]
    assert (float(slope["value"]), slope["points"]) == (panel.line.slope.value, "3")
    for strategy in ("", "LoRA"):
        assert ("corruptions", strategy, "", "pearson") in rows
        assert ("corruptions", strategy, "", "spearman") in rows


def test_a_number_without_interval_has_empty_ends(run: Run, tmp_path: Path) -> None:
    panels = compare_shifts([run], ShiftSettings(replicates=0))
    _, file = save_shift_csv(panels, tmp_path)
    means = [row for row in read(file) if row["measure"] == "mean" and row["shift"] != "domain"]
    assert {(row["low"], row["high"]) for row in means} == {("", "")}


def test_nothing_gives_no_file(tmp_path: Path) -> None:
    assert save_shift_csv([], tmp_path / "out") == []
    assert not (tmp_path / "out").exists()
