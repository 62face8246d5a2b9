from pathlib import Path

import pytest

from robust_tuning.frontier import find_runs
from robust_tuning.frontier.comparison import AreaSettings, compare
from robust_tuning.frontier.page_data import (
    PointTable,
    comparison_record,
    estimate_record,
    run_record,
)
from robust_tuning.frontier.point import Estimate
from robust_tuning.frontier.statistics import wilson
from tests.frontier.synthetic import write_run
from tests.frontier.synthetic_page import make_verdict

STEPS = (0, 200, 1000)


def test_curves_name_their_points_by_place(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_run(tmp_path / f"run-{seed}", seed=seed, examples=100, steps=STEPS)
    runs = find_runs([tmp_path])
    (comparison,) = compare(runs, AreaSettings(replicates=10, confidence=0.9))
    table = PointTable(runs, 0.9)
    record = comparison_record(comparison, {}, table)
    assert [(point["run"], point["step"]) for point in table.records] == [
        (run, step) for run in (0, 1) for step in STEPS
    ]
    for panel, made in zip(comparison.panels, record["panels"], strict=True):
        (curve,), (shown,) = panel.curves, made["curves"]
        assert shown["runs"] == [[0, 1, 2], [3, 4, 5]]
        members = [table.records[place] for place in shown["members"]]
        assert [m["accuracy"][0] for m in members] == [
            pytest.approx(p.accuracy.value, abs=1e-5) for p in curve.frontier.members
        ]
        assert curve.interval is not None
        assert shown["area"] == pytest.approx([curve.frontier.area, *curve.interval], abs=1e-5)
        assert shown["best"] == members[-1]["accuracy"]
        assert shown["best_robust"] == members[0]["robust"][panel.threat]
        assert shown["robust_at_best"] == members[-1]["robust"][panel.threat]
        assert made["verdict"] is None
    assert record["panels"][0]["radius"] == ("linf", 1 / 255)


def test_estimates_have_the_interval_of_the_reports_confidence() -> None:
    low, high = wilson(30, 100, 0.8)
    expected = [0.3, round(low, 5), round(high, 5), 100]
    assert estimate_record(Estimate.of(30, 100), 0.8) == expected


def test_a_verdict_goes_to_its_own_panel(tmp_path: Path) -> None:
    write_run(tmp_path / "run", examples=100, steps=STEPS)
    runs = find_runs([tmp_path])
    (comparison,) = compare(runs, AreaSettings(replicates=0))
    verdicts = {(comparison.conditions, "linf-2/255"): make_verdict(("LoRA", "BitFit"))}
    record = comparison_record(comparison, verdicts, PointTable(runs, 0.95))
    found = {panel["threat"]: panel["verdict"] for panel in record["panels"]}
    assert found["linf-1/255"] is None
    verdict = found["linf-2/255"]
    assert verdict["groups"] == [["LoRA"], ["BitFit"]]
    assert verdict["scalars"]["LoRA"][1] == {
        "key": "steps_to_peak",
        "value": 200.0,
        "interval": None,
    }
    assert verdict["differences"][0]["interval"] == [0.01, 0.09]
    (curve,) = record["panels"][0]["curves"]
    assert curve["area"][1:] == [None, None]
    assert curve["note"] == "no replicates"


def test_a_run_states_its_cost_in_all(tmp_path: Path) -> None:
    (run,) = find_runs([write_run(tmp_path / "run", examples=100, steps=STEPS)])
    record = run_record(run, "a: 1")
    assert record["cost"] == [4.5, 540, 0]
    assert (record["name"], record["config"]) == ("run", "a: 1")
    assert record["attack"]["name"] == "PGD"
    assert record["arguments"] == {"rank": 8}
