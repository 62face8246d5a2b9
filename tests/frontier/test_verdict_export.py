from pathlib import Path

from robust_tuning.frontier import append_point, find_runs
from robust_tuning.frontier.comparison import AreaSettings, compare
from robust_tuning.frontier.judge import judge_all
from robust_tuning.frontier.verdict_export import save_verdict_csv
from tests.frontier.synthetic import make_point, write_run
from tests.frontier.test_export import read


def test_every_scalar_and_difference_has_its_row(tmp_path: Path) -> None:
    for strategy in ("LoRA", "BitFit", "IA3"):
        write_run(tmp_path / strategy, strategy, steps=(0, 400), examples=100)
    comparisons = compare(find_runs([tmp_path]), AreaSettings(replicates=50, confidence=0.9))
    verdicts = judge_all(comparisons)
    scalars, differences = save_verdict_csv(comparisons, verdicts, tmp_path / "out")
    rows = iter(read(scalars))
    pairs = iter(read(differences))
    for panel, verdict in zip(comparisons[0].panels, verdicts[0], strict=True):
        for curve in panel.curves:
            for scalar in verdict.scalars[curve.strategy]:
                row = next(rows)
                assert (row["threat"], row["strategy"]) == (panel.threat, curve.strategy)
                assert (row["scalar"], float(row["value"])) == (scalar.key, scalar.value)
                ends = ("", "") if scalar.interval is None else tuple(map(str, scalar.interval))
                assert (row["low"], row["high"]) == ends
                assert row["definition"] == verdict.definitions[scalar.key]
                assert row["examples"] == comparisons[0].conditions.examples
        for one in verdict.differences:
            row = next(pairs)
            assert (row["first"], row["second"]) == (one.first, one.second)
            ends = tuple(map(float, (row["difference_low"], row["difference_high"])))
            assert (float(row["difference"]), ends) == (one.value, one.interval)
            assert (row["called"], row["comparisons"]) == (str(int(one.called)), "3")
            assert row["confidence"] == "0.9"
    assert next(rows, None) is None
    assert next(pairs, None) is None


def test_without_differences_there_is_no_file_of_them(tmp_path: Path) -> None:
    append_point(tmp_path / "a", make_point())
    comparisons = compare(find_runs([tmp_path]), AreaSettings())
    (path,) = save_verdict_csv(comparisons, judge_all(comparisons), tmp_path / "out")
    assert path.name == "scalars.csv"
    assert save_verdict_csv([], [], tmp_path / "none") == []
