from collections.abc import Iterable, Iterator
from functools import partial

import pytest
import torch

from robust_tuning.attacks.stock import Source
from robust_tuning.callbacks.evaluation import prepared
from robust_tuning.callbacks.source import LoadedExamples
from robust_tuning.data import Digits
from robust_tuning.types import Batch
from tests.runs import make_tuner


@pytest.mark.parametrize("workers", [0, 1])
def test_an_example_is_the_same_whichever_way_it_is_had(workers: int) -> None:
    data = Digits(eval_batch_size=4, num_workers=workers)
    examples = data.evaluation_examples("validation", 11)
    source = LoadedExamples(examples, data.evaluation_loader, partial(prepared, make_tuner()))
    assert isinstance(source, Source)
    assert len(source) == 11
    whole = [torch.cat(column) for column in zip(*source, strict=True)]
    positions = [7, 2, 10, 3, 9]
    several = [torch.cat(column) for column in zip(*source.batches(positions), strict=True)]
    for column, part, few in zip(whole, several, source.few(positions), strict=True):
        assert torch.equal(column[positions], part)
        assert torch.equal(part, few)
    assert [len(batch.labels) for batch in source.batches(positions)] == [4, 1]


def test_what_changes_examples_sees_those_asked_for_alone() -> None:
    seen: list[int] = []

    def change(batches: Iterable[Batch]) -> Iterator[Batch]:
        for batch in batches:
            seen.extend(batch.indices.tolist())
            yield batch

    data = Digits()
    examples = data.evaluation_examples("validation", 11)
    source = LoadedExamples(examples, data.evaluation_loader, change)
    source.few([4])
    assert seen == [int(examples[4].indices)]
