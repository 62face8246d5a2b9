from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from numpy.typing import NDArray
from torch.utils.data import Dataset

from robust_tuning.data import BenchmarkDataModule
from robust_tuning.data.examples import TensorExamples
from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.processes import Processes
from robust_tuning.types import Batch, Split

SIZES: dict[Split, int] = {"train": 40, "validation": 20, "test": 10}


class Items(Dataset[Batch]):
    """Examples that are fetched one by one."""

    def __init__(self, examples: TensorExamples) -> None:
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, position: int) -> Batch:
        return self.examples[position]


class Numbers(BenchmarkDataModule):
    """Images that show their own index, three quarters of them of class 0."""

    one_by_one = False

    @property
    def class_names(self) -> tuple[str, ...]:
        return ("common", "rare")

    def indices(self, split: Split) -> NDArray[np.int64]:
        return np.arange(SIZES[split], dtype=np.int64) + {"train": 0}.get(split, 1000)

    def load(self, split: Split) -> Dataset[Batch]:
        indices = torch.from_numpy(self.indices(split))
        images = (indices / 2000).view(-1, 1, 1, 1).expand(-1, 3, 2, 2)
        examples = TensorExamples(images, torch.from_numpy(self.labels(split)), indices)
        return Items(examples) if self.one_by_one else examples

    def labels(self, split: Split) -> NDArray[np.int64]:
        labels: NDArray[np.int64] = (self.indices(split) % 4 == 3).astype(np.int64)
        return labels

    def identities(self, split: Split) -> list[str]:
        return [f"{split}-{index}" for index in self.indices(split)]


class SlowNumbers(Numbers):
    one_by_one = True


def chosen(examples: Dataset[Batch]) -> list[int]:
    return [int(examples[i].indices) for i in range(len(examples))]  # type: ignore[arg-type]  # sized


@pytest.fixture(params=[Numbers, SlowNumbers])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_smaller_subsets_are_part_of_larger_ones(kind: type[Numbers]) -> None:
    data = kind()
    previous: set[int] = set()
    for n in (1, 5, 12, 20):
        found = chosen(data.evaluation_examples("validation", n))
        assert len(set(found)) == n
        assert previous < set(found)
        previous = set(found)
    assert set(chosen(data.evaluation_examples("validation"))) == previous


def test_a_subset_depends_neither_on_seed_nor_on_batch_sizes(kind: type[Numbers]) -> None:
    found = {
        tuple(chosen(kind(**settings).evaluation_examples("validation", 7)))
        for settings in (
            {},
            {"seed": 5},
            {"batch_size": 3, "eval_batch_size": 2, "num_workers": 1},
            {"train_limit": 9},
        )
    }
    assert len(found) == 1
    (subset,) = found
    assert subset != tuple(sorted(subset)), "a simple random sample, not the first ones"


@pytest.mark.parametrize("n", [0, -1, 21])
def test_more_examples_than_there_are_cannot_be_asked_for(n: int) -> None:
    with pytest.raises(DataError, match=rf"{n} evaluation examples .* Numbers has 20; choose n"):
        Numbers().evaluation_examples("validation", n)


def test_a_limit_keeps_the_class_proportions_and_the_seed_does_not_matter(
    kind: type[Numbers],
) -> None:
    limited = [kind(train_limit=12, seed=seed).dataset("train") for seed in (0, 1)]
    labels = [int(limited[0][i].labels) for i in range(12)]
    assert sorted(chosen(limited[0])) == sorted(chosen(limited[1]))
    assert sum(labels) == 3
    assert len(set(chosen(limited[0]))) == 12
    assert len(chosen(kind(train_limit=12).dataset("validation"))) == 20


def test_smaller_limits_are_part_of_larger_ones() -> None:
    small, large = (chosen(Numbers(train_limit=n).dataset("train")) for n in (7, 30))
    assert set(small) < set(large)


def test_training_examples_can_be_evaluated_under_a_limit(kind: type[Numbers]) -> None:
    data = kind(train_limit=12)
    trained_on = set(chosen(data.dataset("train")))
    for n in (1, 5, 12):
        found = chosen(data.evaluation_examples("train", n))
        assert len(set(found)) == n
        assert set(found) <= trained_on
    with pytest.raises(DataError, match="has 12"):
        data.evaluation_examples("train", 13)


def test_a_limit_beyond_the_training_examples_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="train_limit is 41, but Numbers has only 40"):
        Numbers(train_limit=41).dataset("train")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"batch_size": 0}, "data.batch_size is 0, expected at least 1"),
        ({"eval_batch_size": -1}, "data.eval_batch_size is -1"),
        ({"num_workers": -1}, "data.num_workers is -1, expected at least 0"),
        ({"train_limit": 0}, "data.train_limit is 0"),
    ],
)
def test_sizes_that_cannot_be_are_refused(settings: dict[str, int], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Numbers(**settings)


@pytest.mark.parametrize("workers", [0, 1])
def test_evaluation_loaders_give_every_example_once_in_order(
    kind: type[Numbers], workers: int
) -> None:
    data = kind(eval_batch_size=8, num_workers=workers)
    for loader, split in ((data.val_dataloader(), "validation"), (data.test_dataloader(), "test")):
        batches = list(loader)
        assert [len(batch.labels) for batch in batches][:1] == [8]
        found = torch.cat([batch.indices for batch in batches])
        assert found.tolist() == data.indices(split).tolist()  # type: ignore[arg-type]  # a Split
        shown = torch.cat([batch.images for batch in batches])[:, 0, 0, 0]
        assert torch.allclose(shown * 2000, found.float())


def test_training_batches_cover_the_split_in_the_order_of_the_seed(kind: type[Numbers]) -> None:
    orders = []
    for seed in (0, 0, 1):
        batches = list(kind(batch_size=16, seed=seed).train_dataloader())
        assert [len(batch.labels) for batch in batches] == [16, 16, 8]
        orders.append(torch.cat([batch.indices for batch in batches]).tolist())
        assert sorted(orders[-1]) == list(range(40))
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_training_continues_in_mid_epoch_from_what_the_module_wrote_down(
    kind: type[Numbers], taken: int
) -> None:
    whole = [batch.indices.tolist() for batch in kind(batch_size=16).train_dataloader()]
    interrupted, resumed = kind(batch_size=16), kind(batch_size=16)
    before = [b.indices.tolist() for b in islice(interrupted.train_dataloader(), taken)]
    resumed.load_state_dict(interrupted.state_dict())
    after = [batch.indices.tolist() for batch in resumed.train_dataloader()]
    assert before + after == whole


def test_a_split_is_loaded_once_and_only_for_the_stage_that_needs_it() -> None:
    class Counting(Numbers):
        loaded: tuple[str, ...] = ()

        def load(self, split: Split) -> Dataset[Batch]:
            self.loaded += (split,)
            return super().load(split)

    data = Counting()
    data.setup("fit")
    data.setup("fit")
    data.train_dataloader()
    loaded = [data.loaded]
    data.setup("test")
    loaded.append(data.loaded)
    assert loaded == [("train", "validation"), ("train", "validation", "test")]
    assert data.num_classes == 2
    assert data.benchmark == "Counting"


@pytest.mark.parametrize("divides", [False, True])
def test_processes_share_validation_and_test_unless_the_trainer_does(
    divides: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    for rank in range(3):
        monkeypatch.setattr(Processes, "current", lambda rank=rank: Processes(rank, 3))
        data = Numbers(eval_batch_size=4)
        data.trainer = Trainer(use_distributed_sampler=divides, logger=False, accelerator="cpu")
        seen.append([i for batch in data.val_dataloader() for i in batch.indices.tolist()])
        assert sum(len(b.labels) for b in data.test_dataloader()) in ((10,) if divides else (3, 4))
    whole = list(range(1000, 1020))
    if divides:
        assert seen == [whole] * 3
    else:
        assert sorted(i for part in seen for i in part) == whole
