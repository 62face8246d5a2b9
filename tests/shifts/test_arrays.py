import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from robust_tuning.shifts.arrays import ArrayExamples

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)
ROWS, LABELS, INDICES = np.array([4, 0, 2]), np.array([7, 8, 9]), np.array([40, 10, 20])


@pytest.mark.parametrize("channels_first", [False, True])
def test_rows_come_as_images_of_the_benchmark(channels_first: bool) -> None:
    pixels = PIXELS.transpose(0, 3, 1, 2) if channels_first else PIXELS
    examples = ArrayExamples(pixels, ROWS, LABELS, INDICES)
    assert len(examples) == 3
    batch = examples.__getitems__([2, 0])
    assert batch.images.dtype == torch.uint8
    assert torch.equal(batch.images, torch.from_numpy(PIXELS[[2, 4]]).permute(0, 3, 1, 2))
    assert (batch.labels.tolist(), batch.indices.tolist()) == ([9, 7], [20, 40])
    one = examples[1]
    assert torch.equal(one.images, torch.from_numpy(PIXELS[0]).permute(2, 0, 1))
    assert (int(one.labels), int(one.indices)) == (8, 10)


def test_a_loader_fetches_whole_batches() -> None:
    examples = ArrayExamples(PIXELS, ROWS, LABELS, INDICES)
    batches = list(DataLoader(examples, batch_size=2, collate_fn=lambda batch: batch))
    assert [len(batch.labels) for batch in batches] == [2, 1]
