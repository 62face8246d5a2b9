import json
from pathlib import Path

import numpy as np
import pytest

from robust_tuning.data.check_report import (
    KINDS,
    MISSING,
    NOT_RGB,
    TRUNCATED,
    Finding,
    Kind,
    Report,
    summarise,
)
from robust_tuning.data.listing import Listing

HARMLESS = {
    *("duplicates", "duplicates_across_splits", "conflicting_duplicates"),
    *("not_rgb", "unlisted", "wrong_archive"),
}


def report(*findings: Finding) -> Report:
    return Report("CUB200", Path("birds"), 3, (), findings)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_what_affects_training(kind: Kind) -> None:
    found = report(Finding(NOT_RGB, ("a",)), Finding(kind, ("b",)))
    assert found.affects_training is (kind.name not in HARMLESS)
    assert found.to_json()["affects_training"] is found.affects_training


def test_kinds_have_names_of_their_own_and_the_grave_ones_come_first() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS) == 17
    grave = [kind.affects_training for kind in KINDS]
    assert grave == sorted(grave, reverse=True)


def test_nothing_found_affects_nothing() -> None:
    assert not report().affects_training


def test_findings_by_kind() -> None:
    found = report(
        Finding(TRUNCATED, ("b",), "late"),
        Finding(MISSING, ("c",)),
        Finding(TRUNCATED, ("a", "b")),
    )
    assert [finding.files for finding in found.of(TRUNCATED)] == [("a", "b"), ("b",)]
    assert found.files(TRUNCATED, MISSING) == ("a", "b", "c")
    assert found.files(NOT_RGB) == ()


def test_json_holds_every_file_and_every_kind() -> None:
    listing = Listing(("a", "b", "c"), np.array([2, 2, 0]), np.arange(3))
    summary = summarise("train", listing, listing.without({"c"}), 3, ("ant", "bee", "cat"))
    findings = (Finding(MISSING, ("a",)), Finding(TRUNCATED, ("b",), "cut off"))
    plain = Report("CUB200", Path("birds"), 2, (summary,), findings).to_json()
    assert json.loads(json.dumps(plain)) == plain
    assert (plain["benchmark"], plain["folder"], plain["images"]) == ("CUB200", "birds", 2)
    assert plain["lists"] == {
        "train": {
            "name": "train",
            "images": 3,
            "expected": 3,
            "skipped": 1,
            "smallest": 0,
            "median": 0.0,
            "largest": 2,
            "empty_classes": ["ant", "bee"],
        }
    }
    assert list(plain["problems"]) == [kind.name for kind in KINDS]
    assert plain["problems"]["truncated"] == {
        "meaning": TRUNCATED.meaning,
        "affects_training": True,
        "count": 1,
        "findings": [{"files": ["b"], "detail": "cut off"}],
    }
    assert plain["problems"]["not_rgb"]["count"] == 0


def test_the_median_class() -> None:
    labels = np.array([0] * 5 + [1] * 2 + [2] * 4 + [3] * 9)
    listing = Listing(tuple(map(str, labels)), labels, np.arange(20))
    summary = summarise("all", listing, listing, None, tuple("abcd"))
    assert (summary.smallest, summary.median, summary.largest) == (2, 4.5, 9)
    assert (summary.images, summary.skipped, summary.empty_classes) == (20, 0, ())
