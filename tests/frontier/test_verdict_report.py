from pathlib import Path

from rich.console import Group

from robust_tuning.frontier import find_runs
from robust_tuning.frontier.comparison import AreaSettings, compare
from robust_tuning.frontier.judge import judge
from robust_tuning.frontier.report import comparison_tables
from robust_tuning.frontier.verdict import Difference, Verdict
from robust_tuning.frontier.verdict_report import answer, evidence
from tests.frontier.synthetic import STRATEGIES, write_run
from tests.frontier.test_report import render

SETTINGS = AreaSettings(replicates=50)


def test_the_answer_comes_first_then_groups_areas_and_warnings(tmp_path: Path) -> None:
    for strategy in ("Compacter", "Adapter"):
        write_run(tmp_path / strategy, strategy, steps=(0, 200, 400), threats=("linf-1/255",))
    comparisons = compare(find_runs([tmp_path]), SETTINGS)
    verdict = judge(comparisons[0], comparisons[0].panels[0])
    text = " ".join(render(comparison_tables(comparisons)).split())
    order = (
        verdict.sentence,
        "not separable within: {Compacter} | {Adapter}",
        "areas under linf-1/255",
        comparisons[0].settings.definition,
        "normalisation: none · pooled: the runs of each strategy",
        "beside the area",
        "note: a difference is called if its interval excludes zero",
        "warning: a single seed for Compacter, Adapter",
    )
    places = [text.index(part) for part in order]
    assert places == sorted(places)


def test_the_way_to_the_best_is_marked_where_it_is_called(tmp_path: Path) -> None:
    for strategy in ("Compacter", "BitFit", "Adapter"):
        write_run(tmp_path / strategy, strategy, steps=(0, 200, 400), threats=("linf-1/255",))
    (comparison,) = compare(find_runs([tmp_path]), SETTINGS)
    panel = comparison.panels[0]
    best, *others = [curve.strategy for curve in panel.curves]
    verdict = judge(comparison, panel)
    text = render(Group(*evidence(panel, verdict)))
    for one in verdict.differences:
        if one.first == best:
            row = next(line for line in text.splitlines() if line.startswith(one.second))
            assert row.rstrip().endswith("*") is one.called
            assert f"{one.value:.3f}".removeprefix("0") in row
    assert len(others) == 2


def test_many_strategies_stay_within_80_columns(tmp_path: Path) -> None:
    for strategy in STRATEGIES:
        write_run(tmp_path / strategy, strategy, steps=(0, 400), examples=100)
    settings = AreaSettings(replicates=20, pool="run")
    text = render(comparison_tables(compare(find_runs([tmp_path]), settings)))
    assert max(map(len, text.splitlines())) <= 80
    assert "LoRA · LoRA" in text


def test_long_groups_are_cut() -> None:
    names = tuple(f"s{number}" for number in range(20))
    differences = (Difference("s0", "s1", 0.1, (-1.0, 1.0), False),)
    text = render(Group(*answer(Verdict("So.", (names,), {}, {}, differences))), width=300)
    assert "{s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, and 8 more}" in text
