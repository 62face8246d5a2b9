from pathlib import Path

from robust_tuning.frontier import Estimate, append_point, find_runs
from robust_tuning.frontier.comparison import AreaSettings, compare
from robust_tuning.frontier.paper_table import paper_tables
from tests.frontier.synthetic import make_point, write_run
from tests.frontier.test_report import render

# The areas of arXiv 2503.14836 in hundredths.
STUDY = {
    "BitFit": (21, 10, 33, 14, 8),
    "Compacter": (9, 6, 34, 15, 9),
    "LoRA": (14, 7, 23, 12, 6),
    "Adapter": (12, 5, 21, 7, 5),
    "IA3": (8, 5, 31, 13, 5),
    "LinearProbe": (6, 3, 24, 8, 2),
    "FullFineTuning": (11, 4, 26, 9, 5),
}
BENCHMARKS = ("CIFAR10", "CIFAR100", "Caltech256", "CUB200", "StanfordDogs")


def test_the_studys_table_and_its_percentages(tmp_path: Path) -> None:
    for strategy, areas in STUDY.items():
        for place, (benchmark, area) in enumerate(zip(BENCHMARKS, areas, strict=True)):
            point = make_point(
                benchmark=benchmark,
                strategy=strategy,
                accuracy=Estimate.of(100, 100),
                robust_accuracy={"linf-1/255": Estimate.of(area, 100)},
            )
            append_point(tmp_path / f"{strategy}-{place}", point)
    text = render(paper_tables(compare(find_runs([tmp_path]), AreaSettings())))
    assert max(map(len, text.splitlines())) <= 80
    rows = {words[0]: words[1:] for line in text.splitlines() if (words := line.split())}
    assert rows["strategy"] == list(BENCHMARKS)
    assert rows["BitFit"] == ["*.21", "*.10", ".33", ".14", ".08"]
    assert rows["Compacter"] == [".09", ".06", "*.34", "*.15", "*.09"]
    assert rows["LinearProbe"] == [".06", ".03", ".24", ".08", ".02"]
    words = "% above the average of the strategies, winner included"
    joined = " ".join(text.split())
    for benchmark, best, above in (
        ("CIFAR10", "BitFit", 81.5),
        ("CIFAR100", "BitFit", 75.0),
        ("Caltech256", "Compacter", 24.0),
        ("CUB200", "Compacter", 34.6),
        ("StanfordDogs", "Compacter", 57.5),
    ):
        assert f"{benchmark}: best: {best}, {above} {words}" in joined


def test_threats_have_tables_and_other_examples_columns(tmp_path: Path) -> None:
    for name, examples in (("a", 100), ("b", 200)):
        threats = ("linf-1/255", "linf-2/255")
        write_run(tmp_path / name, steps=(0, 400), examples=examples, threats=threats)
    comparisons = compare(find_runs([tmp_path]), AreaSettings(replicates=20))
    text = render(paper_tables(comparisons), width=120)
    assert text.count("strategy") == 2
    for comparison in comparisons:
        assert text.count(f"#{comparison.conditions.examples}") == 2
    assert "% above" not in text, "nothing to average over"
