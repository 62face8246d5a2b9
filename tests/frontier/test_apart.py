import numpy as np

from robust_tuning.frontier.apart import apart, listed
from robust_tuning.frontier.pareto_frontier import Conditions

HERE = Conditions("cub200", "vit", "validation", "aaaaaaaa11", "x")
INDEX = np.arange(4)
LABEL = np.array([0, 1, 2, 3])


def lines(there: Conditions, **subsets: tuple[np.ndarray, np.ndarray]) -> tuple[str, ...]:
    return apart(HERE, {HERE: ["own"], there: ["a", "b"]}, {"x": (INDEX, LABEL), **subsets})


def test_split_and_attack_are_named() -> None:
    (line,) = lines(HERE._replace(split="test", attack_fingerprint="bbbbbbbb22", examples="y"))
    assert line == (
        "not on these frontiers: runs a, b differ in split (test, here validation); "
        "attack (#bbbbbbbb, here #aaaaaaaa)"
    )


def test_a_part_of_the_examples_is_told_from_another_version_of_the_data() -> None:
    there = HERE._replace(examples="y")
    (line,) = lines(there, y=(np.array([2, 3, 9]), np.array([2, 3, 9])))
    assert line.endswith("differ in evaluation examples (3, here 4, 2 in common)")
    (line,) = lines(there, y=(INDEX, np.array([0, 1, 3, 2])))
    assert line.endswith("version of the data (2 of 4 common examples have other labels)")
    (line,) = lines(HERE._replace(examples="n77"))
    assert line.endswith("differ in evaluation examples (77, here 4)")


def test_other_benchmarks_and_backbones_are_no_news() -> None:
    assert lines(HERE._replace(benchmark="digits")) == ()
    assert lines(HERE._replace(backbone="resnet")) == ()


def test_many_names_are_cut() -> None:
    assert listed(list("abcdef")) == "runs a, b, c and 3 more"
