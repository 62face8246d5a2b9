from typing import Any, cast

import numpy as np
import pytest

from robust_tuning.data import CIFAR10
from robust_tuning.data.external import Rows
from robust_tuning.errors import DataError
from robust_tuning.shifts import LabelMap
from robust_tuning.shifts.rows import set_of_rows

CLASSES = ("cat", "dog", "frog")
LABELS = np.tile(np.arange(3), 20)
ROWS = Rows(np.arange(60 * 12, dtype=np.uint16).astype(np.uint8).reshape(60, 3, 2, 2), LABELS)
MAP = LabelMap.by_name(("dog", "cow", "cat"), CLASSES, {"cow": None})


def measured(n: int | None) -> Any:
    [only] = set_of_rows("new", ROWS, MAP, CIFAR10("x"), n)
    return only


def test_all_rows_but_those_left_out_in_their_order() -> None:
    found = measured(None)
    batch = found.examples.__getitems__(range(40))
    assert batch.indices.tolist() == [row for row in range(60) if row % 3 != 1]
    assert batch.labels.tolist() == [1, 0] * 20
    assert (batch.images.numpy() == ROWS.pixels[batch.indices.numpy()]).all()
    assert found.findings == MAP.findings(LABELS)
    assert (found.key, found.labels) == ("new", MAP)


def test_a_subset_is_among_a_larger_one_and_keeps_labels_and_pixels() -> None:
    few, more = (measured(n).examples for n in (7, 25))
    assert few.indices.tolist() == more.indices[:7].tolist()
    assert len(set(more.indices.tolist())) == 25
    batch = few.__getitems__(range(7))
    assert batch.labels.tolist() == [cast("int", MAP.targets[i % 3]) for i in batch.indices]
    assert (batch.images.numpy() == ROWS.pixels[batch.indices.numpy()]).all()


def test_more_than_there_are_is_an_error() -> None:
    with pytest.raises(DataError, match=r"41 .* the shifted set new of CIFAR10 has 40"):
        measured(41)
