import math
from pathlib import Path

import pytest

from robust_tuning.sweeps.sampling import fixed_params
from tests.sweeps.material import make_ledger, make_sweep

PARAMETERS = {
    "model.lr": {"distribution": "log_uniform_values", "min": 1.0e-5, "max": 1.0},
    "model.strategy": {"values": ["good", "bad"]},
}
AREA = {"name": "frontier/area", "goal": "maximize"}


@pytest.mark.parametrize("method", ["bayes", "pareto"])
def test_what_has_done_well_is_tried_more_often(method: str, tmp_path: Path) -> None:
    sweep = make_sweep(method=method, parameters=PARAMETERS, metric=AREA, run_cap=40)
    ledger = make_ledger(tmp_path, sweep)
    ledger.add_due(ledger.records())
    tried = []
    for record in ledger.records():
        assert ledger.claim(record)
        values = ledger.choose(record)
        good, decades = values["model.strategy"] == "good", abs(math.log10(values["model.lr"]) + 2)
        worth = (1 + good) / (1 + decades)
        ledger.done(record, [worth, worth] if method == "pareto" else [worth])
        tried.append(good and decades < 1)
    assert sum(tried[20:]) >= 9  # at random a fifth of 20


def test_workers_at_the_same_time_try_different_values(tmp_path: Path) -> None:
    for method in ("random", "bayes", "pareto"):
        sweep = make_sweep(method=method, parameters=PARAMETERS, metric=AREA, run_cap=8)
        ledgers = [make_ledger(tmp_path / method, sweep) for _ in range(2)]
        ledgers[0].add_due(ledgers[0].records())
        drawn = set()
        for record in ledgers[0].records():
            assert ledgers[record.index % 2].claim(record)
            drawn.add(ledgers[record.index % 2].choose(record)["model.lr"])
        assert len(drawn) == 8


def test_cells_as_they_are_stored() -> None:
    sweep = make_sweep(parameters={"data.domains": {"values": [["a"], ["b"]]}})
    assert [fixed_params(sweep, cell) for cell in sweep.cells] == [
        {"data.domains": '["a"]'},
        {"data.domains": '["b"]'},
    ]
