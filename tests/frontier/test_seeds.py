from pathlib import Path

import numpy as np
import pytest

from robust_tuning.frontier import Run, find_runs
from robust_tuning.frontier.evaluations import read_evaluations
from robust_tuning.frontier.seeds import seed_draws, seeds_by_setting, setting_of
from tests.frontier.synthetic import make_point, write_run

CONFIG = "seed_everything: {seed}\ntrainer:\n  default_root_dir: runs/{name}\nmodel:\n  lr: {lr}\n"


def configured(folder: Path, seed: int, lr: float) -> Run:
    write_run(folder, seed=seed, steps=(0, 400), examples=50)
    text = CONFIG.format(seed=seed, name=folder.name, lr=lr)
    (folder / "config.yaml").write_text(text)
    return Run(folder)


def test_runs_that_differ_in_seed_and_name_have_one_setting(tmp_path: Path) -> None:
    one, other, rate = (
        configured(tmp_path / name, seed, lr)
        for name, seed, lr in (("a", 0, 0.1), ("b", 1, 0.1), ("c", 2, 0.2))
    )
    point = make_point()
    assert setting_of(one, point) == setting_of(other, point)
    assert setting_of(one, point) != setting_of(rate, point)
    assert setting_of(one, point) != setting_of(one, make_point(strategy_args={"rank": 4}))


def test_evaluations_of_a_run_have_the_setting_of_that_run(tmp_path: Path) -> None:
    run = configured(tmp_path / "a", 0, 0.1)
    again = Run(tmp_path / "a" / "evaluations" / "x-test")
    assert setting_of(run, make_point()) == setting_of(again, make_point())


def test_a_single_seed_or_different_settings_are_not_drawn(tmp_path: Path) -> None:
    configured(tmp_path / "a", 0, 0.1)
    configured(tmp_path / "b", 1, 0.2)
    evaluations, _ = read_evaluations(find_runs([tmp_path]))
    assert len(seeds_by_setting(evaluations)) == 2
    assert seed_draws(evaluations, 10) == (None, (1, 1))


def test_the_seeds_of_a_setting_are_drawn_with_all_their_points(tmp_path: Path) -> None:
    for name, seed, lr in (("a", 0, 0.1), ("b", 1, 0.1), ("c", 2, 0.1), ("d", 0, 0.2)):
        configured(tmp_path / name, seed, lr)
    evaluations, _ = read_evaluations(find_runs([tmp_path]))
    kept, seeds = seed_draws(evaluations, 20_000)
    assert seeds == (3, 3)
    assert kept is not None
    by_run = kept[:, ::2]
    np.testing.assert_array_equal(by_run, kept[:, 1::2])  # two points each
    assert by_run[:, 3].all(), "the other setting stays"
    assert by_run[:, :3].any(axis=1).all(), "never no run at all"
    assert by_run[:, :3].mean() == pytest.approx(1 - (2 / 3) ** 3, abs=0.01)
