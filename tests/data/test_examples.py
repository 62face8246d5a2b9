import numpy as np
import torch

from robust_tuning.data.examples import TensorExamples, collate
from robust_tuning.types import Batch


def examples(n: int = 6) -> TensorExamples:
    images = torch.arange(n * 12, dtype=torch.uint8).view(n, 3, 2, 2)
    return TensorExamples(images, torch.arange(n) % 2, torch.arange(n) + 100)


def test_one_by_one_or_a_batch_at_a_time_gives_the_same_batch() -> None:
    held = examples()
    at_once = collate(held.__getitems__([4, 0, 5]))
    one_by_one = collate([held[4], held[0], held[5]])
    for fetched in (at_once, one_by_one):
        assert isinstance(fetched, Batch)
        assert torch.equal(fetched.images, held.images[[4, 0, 5]])
        assert fetched.labels.tolist() == [0, 0, 1]
        assert fetched.indices.tolist() == [104, 100, 105]


def test_a_subset_keeps_each_examples_identity() -> None:
    chosen = examples().subset(np.array([3, 1]))
    assert len(chosen) == 2
    assert [int(chosen[i].indices) for i in range(2)] == [103, 101]
    assert torch.equal(chosen[1].images, examples()[1].images)
