from itertools import islice
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import Dataset

from robust_tuning.data.augmentation import AugmentedExamples, make_augmentation
from robust_tuning.data.examples import TensorExamples
from robust_tuning.data.loader import BatchLoader, EpochOrder, ResumableLoader, even_batches
from robust_tuning.errors import DataError
from robust_tuning.processes import Processes
from robust_tuning.types import Batch


def loader(n: int = 11, batch_size: int = 3, *, seed: int = 0, workers: int = 0) -> ResumableLoader:
    examples = TensorExamples(torch.rand(n, 3, 2, 2), torch.arange(n) % 2, torch.arange(n))
    return ResumableLoader(examples, batch_size, seed=seed, num_workers=workers)


def epoch(batches: ResumableLoader) -> list[list[int]]:
    return [batch.indices.tolist() for batch in batches]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_fresh_loader_continues_with_exactly_the_remaining_batches(workers: int) -> None:
    whole = epoch(loader())
    assert [len(batch) for batch in whole] == [3, 3, 3, 2]
    for k in range(5) if not workers else (0, 2, 4):
        interrupted = loader(workers=workers)
        before = [batch.indices.tolist() for batch in islice(interrupted, k)]
        resumed = loader(workers=workers)
        resumed.load_state_dict(interrupted.state_dict())
        assert before + epoch(resumed) == whole
        assert resumed.state_dict() == {"epoch": 0, "batches": 4}


def test_a_loader_can_be_interrupted_twice() -> None:
    whole = epoch(loader())
    first, second, third = loader(), loader(), loader()
    seen = [batch.indices.tolist() for batch in islice(first, 1)]
    second.load_state_dict(first.state_dict())
    seen += [batch.indices.tolist() for batch in islice(second, 2)]
    third.load_state_dict(second.state_dict())
    assert seen + epoch(third) == whole


def test_the_epoch_after_a_resumed_one_is_whole_again() -> None:
    resumed = loader()
    resumed.load_state_dict({"epoch": 0, "batches": 3})
    assert len(epoch(resumed)) == 1
    assert len(epoch(resumed)) == 4


def test_a_resumed_epoch_is_that_epoch() -> None:
    uninterrupted, resumed = loader(), loader()
    for batches in (uninterrupted, resumed):
        batches.sampler.set_epoch(5)  # type: ignore[attr-defined]  # as Lightning does
    resumed.load_state_dict({"epoch": 5, "batches": 2})
    assert epoch(resumed) == epoch(uninterrupted)[2:]


def test_a_state_of_a_finished_epoch_leaves_the_next_one_whole() -> None:
    finished, resumed = loader(), loader()
    epoch(finished)
    resumed.load_state_dict(finished.state_dict())
    resumed.sampler.set_epoch(1)  # type: ignore[attr-defined]  # as Lightning does
    assert len(epoch(resumed)) == 4


def test_workers_change_no_order() -> None:
    assert epoch(loader(workers=2)) == epoch(loader())


def test_the_order_changes_with_the_epoch_and_the_seed_and_comes_back() -> None:
    orders = {}
    for seed in (0, 1):
        order = EpochOrder(50, seed)
        for number in range(3):
            order.set_epoch(number)
            orders[seed, number] = tuple(order)
    assert len(set(orders.values())) == 6
    assert all(sorted(order) == list(range(50)) for order in orders.values())
    again = EpochOrder(50, 1)
    again.set_epoch(2)
    assert tuple(again) == orders[1, 2]


def test_the_order_ignores_the_global_random_state() -> None:
    torch.manual_seed(1)
    one = list(EpochOrder(50, 0))
    torch.manual_seed(2)
    assert list(EpochOrder(50, 0)) == one


@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 3))
def test_processes_share_an_epoch_evenly_and_leave_nothing_out(
    size: int, world_size: int, number: int
) -> None:
    shares = []
    for rank in range(world_size):
        order = EpochOrder(size, 0)
        order.rank, order.world_size = rank, world_size
        order.set_epoch(number)
        shares.append(list(order))
        assert len(shares[-1]) == len(order)
    assert len({len(share) for share in shares}) == 1
    together = [place for share in shares for place in share]
    assert set(together) == set(range(size))
    assert len(together) - size < world_size


def test_processes_take_turns_in_the_common_order() -> None:
    whole = list(EpochOrder(7, 0))
    shares = []
    for rank in range(2):
        order = EpochOrder(7, 0)
        order.rank, order.world_size = rank, 2
        shares.append(list(order))
    woven = [place for pair in zip(*shares, strict=True) for place in pair]
    assert woven == [*whole, whole[0]], "the order wraps around"


class Broken(Dataset[Batch]):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, position: int) -> Batch:
        message = f"cat-{position}.jpg cannot be decoded; replace it"
        raise DataError(message)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("kind", [BatchLoader, ResumableLoader])
def test_bad_data_is_reported_in_one_line_also_from_a_worker(
    kind: type[BatchLoader], workers: int
) -> None:
    settings: dict[str, Any] = {"seed": 0} if kind is ResumableLoader else {}
    batches = kind(Broken(), batch_size=1, num_workers=workers, **settings)
    with pytest.raises(DataError, match=r"^cat-\d.jpg cannot be decoded; replace it$"):
        next(iter(batches))


def test_a_resumed_epoch_continues_with_the_same_variations() -> None:
    def made() -> ResumableLoader:
        images = torch.randint(
            0, 256, (11, 3, 8, 8), dtype=torch.uint8, generator=torch.manual_seed(0)
        )
        examples = TensorExamples(images, torch.arange(11) % 2, torch.arange(11))
        augment = make_augmentation("crop_flip", (6, 6))
        return ResumableLoader(AugmentedExamples(examples, augment, 3), 3, seed=0)

    uninterrupted, resumed = made(), made()
    for batches in (uninterrupted, resumed):
        batches.sampler.set_epoch(2)  # type: ignore[attr-defined]  # as Lightning does
    whole = list(uninterrupted)
    resumed.load_state_dict({"epoch": 2, "batches": 2})
    rest = list(resumed)
    assert len(rest) == 2
    assert all(torch.equal(a.images, b.images) for a, b in zip(whole[2:], rest, strict=True))


@given(st.integers(1, 60), st.integers(1, 5), st.integers(1, 9))
def test_processes_evaluate_everything_once_in_equally_many_batches(
    size: int, processes: int, batch_size: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        everyones = []
        for rank in range(processes):
            patch.setattr(Processes, "current", lambda rank=rank: Processes(rank, processes))
            if size < processes:
                with pytest.raises(DataError, match=f"set has {size} examples, expected one for"):
                    even_batches(size, batch_size, "set")
                return
            everyones.append(even_batches(size, batch_size, "set"))
    places = [place for batches in everyones for batch in batches for place in batch]
    assert sorted(places) == list(range(size))
    assert len({len(batches) for batches in everyones}) == 1
    assert all(1 <= len(batch) <= max(2, batch_size) for batches in everyones for batch in batches)
    assert len(everyones[0]) <= -(-size // batch_size)
