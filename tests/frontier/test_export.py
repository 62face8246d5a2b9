import csv
from pathlib import Path

import pytest

from robust_tuning.frontier import append_point, find_runs
from robust_tuning.frontier.comparison import AreaSettings, compare
from robust_tuning.frontier.export import save_csv
from tests.frontier.synthetic import make_point, write_run


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_areas_has_a_row_per_frontier(tmp_path: Path) -> None:
    for name, strategy in (("a", "LoRA"), ("b", "LoRA"), ("c", "BitFit")):
        write_run(tmp_path / name, strategy, seed=ord(name), steps=(0, 200, 400, 1000))
    settings = AreaSettings((0.05, 0.0), "linear", 0.9, 20)
    comparisons = compare(find_runs([tmp_path]), settings)
    areas, _ = save_csv(comparisons, tmp_path / "out")
    rows = read(areas)
    assert [row["threat"] for row in rows] == ["linf-1/255"] * 2 + ["linf-2/255"] * 2 + [
        "linf-4/255"
    ] * 2
    curve = comparisons[0].panels[0].curves[1]
    row = rows[1]
    assert (row["strategy"], row["runs"], row["points"]) == ("LoRA", "2", "8")
    assert int(row["members"]) == len(curve.frontier.members)
    assert float(row["area"]) == curve.frontier.area
    assert (float(row["area_low"]), float(row["area_high"])) == curve.interval
    assert (row["confidence"], row["replicates"], row["interpolation"]) == ("0.9", "20", "linear")
    assert row["definition"] == settings.definition
    points = curve.frontier.points
    assert float(row["best_accuracy"]) == max(point.accuracy.value for point in points)
    best = max(points, key=lambda point: point.robust_accuracy["linf-1/255"].value)
    assert float(row["best_robust_accuracy"]) == best.robust_accuracy["linf-1/255"].value
    assert float(row["best_robust_accuracy/low"]) == best.robust_accuracy["linf-1/255"].low
    last = max(points, key=lambda point: point.accuracy.value)
    expected = last.robust_accuracy["linf-1/255"].value
    assert float(row["robust_accuracy_at_best_accuracy"]) == expected
    assert row["attack_fingerprint"] == "5f3a9c01d2"


def test_points_has_a_row_per_point_with_every_estimate(tmp_path: Path) -> None:
    write_run(tmp_path / "a", steps=(0, 400), threats=("linf-1/255",))
    other = make_point(benchmark='cub, "200"', ood_accuracy={})
    append_point(tmp_path / "b", other)
    _, points = save_csv(compare(find_runs([tmp_path]), AreaSettings(replicates=0)), tmp_path)
    rows = read(points)
    assert [(row["run"], row["step"]) for row in rows] == [
        ("a", "0"),
        ("a", "400"),
        ("run-0", "50"),
    ]
    assert [row["on_frontier/linf-1/255"] for row in rows] == ["0", "1", "1"]
    assert rows[2]["benchmark"] == 'cub, "200"'
    assert (
        float(rows[2]["robust_accuracy/linf-1/255/high"])
        == other.robust_accuracy["linf-1/255"].high
    )
    assert [row["ood_accuracy/gaussian_noise-3"] for row in rows] == ["0.6", "0.6", ""]
    assert [row["accuracy/n"] for row in rows] == ["1000", "1000", "10"]


def test_an_area_without_interval_has_empty_ends(tmp_path: Path) -> None:
    write_run(tmp_path / "a", steps=(0, 400), with_outcomes=False)
    areas, _ = save_csv(compare(find_runs([tmp_path]), AreaSettings()), tmp_path)
    for row in read(areas):
        assert (row["area_low"], row["area_high"]) == ("", "")
        assert float(row["area"]) == pytest.approx(float(row["area"]))
