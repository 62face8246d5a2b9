from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from robust_tuning.data.examples import TensorExamples, collate
from robust_tuning.errors import DataError
from robust_tuning.shifts import LabelMap, ShiftedSet
from robust_tuning.shifts.evaluation import (
    Answers,
    Restricted,
    Share,
    answers,
    in_bytes,
    shifted_batches,
)
from robust_tuning.types import Batch

CLASSES = ("a", "b", "c")
CPU = torch.device("cpu")


class Brightness(nn.Module):
    """Answers with the brightest channel, more surely the brighter it is."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)  # would change itself if it were trained

    def forward(self, images: Tensor) -> Tensor:
        return 4 * self.norm(images).mean((2, 3))


def examples(n: int, seed: int = 0) -> TensorExamples:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (n, 3, 16, 16), generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, 3, (n,), generator=generator)
    return TensorExamples(images, labels, torch.arange(n) * 3 + 100)


def loader(batch_size: int) -> "type":
    def load(data: Dataset[Batch]) -> DataLoader[Batch]:
        return DataLoader(data, batch_size, collate_fn=collate)

    return load  # type: ignore[return-value]  # a function


def dark(images: Tensor, indices: Tensor) -> Tensor:
    """Darkens a channel that the index chooses."""
    assert images.dtype == torch.uint8
    images = images.clone()
    images[torch.arange(len(images)), indices % 3] = 0
    return images


def sets(n: int) -> list[ShiftedSet]:
    shared, labels = examples(n), LabelMap.identity(CLASSES)
    masked = LabelMap.by_name(("a", "c"), CLASSES, masked=True)
    elsewhere = examples(5, seed=1)
    elsewhere.labels = torch.tensor([0, 2, 2, 0, 2])
    return [
        ShiftedSet("clean", shared, labels),
        ShiftedSet("dark", shared, labels, dark),
        ShiftedSet("elsewhere", elsewhere, masked),
    ]


def prepare(images: Tensor) -> Tensor:
    return images.float() / 255


def evaluated(batch_size: int = 4, share: Share | None = None) -> dict[str, Answers]:
    share = share or Share(batch_size=batch_size)
    return answers(
        Brightness(), sets(11), load=loader(batch_size), prepare=prepare, device=CPU, share=share
    )


def test_answers_are_the_models_own() -> None:
    found = evaluated()
    model = Brightness().eval()
    for one in sets(11):
        batch = next(iter(DataLoader(one.examples, 99, collate_fn=collate)))
        images = batch.images if one.transform is None else dark(batch.images, batch.indices)
        probabilities = model(prepare(images)).softmax(1)
        if one.key == "elsewhere":
            probabilities[:, 1] = 0
            probabilities = probabilities / probabilities.sum(1, keepdim=True)
        mine = found[one.key]
        assert mine.indices.tolist() == batch.indices.tolist()
        assert mine.labels.tolist() == batch.labels.tolist()
        assert mine.correct.tolist() == (probabilities.argmax(1) == batch.labels).tolist()
        np.testing.assert_allclose(mine.confidence, probabilities.amax(1).detach(), rtol=1e-5)
    assert found["dark"].correct.tolist() != found["clean"].correct.tolist()


@pytest.mark.parametrize("batch_size", [1, 3, 50])
def test_the_batch_size_changes_no_verdict(batch_size: int) -> None:
    one, other = evaluated(), evaluated(batch_size)
    assert one.keys() == other.keys()
    assert all(one[key].correct.tolist() == other[key].correct.tolist() for key in one)


@pytest.mark.parametrize("processes", [2, 3, 7])
def test_shares_together_are_the_whole_in_its_order(processes: int) -> None:
    parts = [evaluated(share=Share(rank, processes, 4)) for rank in range(processes)]
    whole = evaluated()
    for key, alone in whole.items():
        assert sum(len(part[key]) for part in parts) == len(alone)
        together = Share(0, processes, 4).together([part[key] for part in parts])
        assert together.indices.tolist() == alone.indices.tolist()
        assert together.labels.tolist() == alone.labels.tolist()
        assert together.correct.tolist() == alone.correct.tolist()
        # Of the same batches: to the bit.
        assert together.confidence.tolist() == alone.confidence.tolist()


@pytest.mark.parametrize(("n", "processes"), [(5, 2), (7, 3), (9, 3), (2, 4)])
def test_large_batches_leave_no_process_without_work(n: int, processes: int) -> None:
    rows = range(n)
    parts = [len(Share(rank, processes, 256).of(rows)) for rank in range(processes)]  # type: ignore[arg-type]
    assert sum(parts) == n
    assert max(parts) == -(-n // processes)


def test_the_model_is_left_as_it_was() -> None:
    model = Brightness().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    answers(model, sets(6), load=loader(3), prepare=prepare, device=CPU)
    assert model.training
    assert model.norm.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


class Counted(Dataset[Batch]):
    def __init__(self, inner: TensorExamples) -> None:
        self.inner, self.fetched = inner, 0

    def __len__(self) -> int:
        return len(self.inner)

    def __getitem__(self, position: int) -> Batch:
        self.fetched += 1
        return self.inner[position]


def test_an_image_is_fetched_once_for_all_its_changes() -> None:
    counted = Counted(examples(6))
    labels = LabelMap.identity(CLASSES)
    views = [ShiftedSet(f"dark-{i}", counted, labels, dark) for i in range(5)]
    done: list[int] = []
    answers(
        Brightness(),
        views,
        load=loader(4),
        prepare=prepare,
        device=CPU,
        on_progress=done.append,
    )
    assert counted.fetched == 6
    assert sum(done) == 30


def test_an_answer_that_is_no_number_is_wrong_and_not_sure() -> None:
    class Broken(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.full((len(images), 3), float("nan"))

    found = answers(Broken(), sets(4)[:1], load=loader(4), prepare=prepare, device=CPU)["clean"]
    assert not found.correct.any()
    assert found.confidence.tolist() == [0.0] * 4


def test_a_set_without_examples_is_refused() -> None:
    empty = ShiftedSet("nothing", examples(0), LabelMap.identity(CLASSES))
    with pytest.raises(DataError, match="nothing has no examples"):
        answers(Brightness(), [empty], load=loader(4), prepare=prepare, device=CPU)


def test_classes_that_are_no_answers_are_left_out_and_renumbered() -> None:
    model = Restricted(nn.Identity(), [1, 3])
    logits = torch.tensor([[9.0, 1.0, 8.0, 2.0]])
    assert model(logits).tolist() == [[1.0, 2.0]]
    labels = torch.tensor([3, 1, 3])
    assert model.renumbered(labels).tolist() == [1, 0, 1]
    assert model.original(model.renumbered(labels)).tolist() == [3, 1, 3]
    assert Restricted(nn.Identity(), None).renumbered(labels).tolist() == [3, 1, 3]


def test_pixels_between_0_and_1_are_rounded_to_256_levels() -> None:
    levels = torch.arange(256, dtype=torch.uint8)
    assert in_bytes(levels.float() / 255).tolist() == levels.tolist()
    assert in_bytes(torch.tensor([0.0, 0.4999 / 255, 0.5001 / 255])).tolist() == [0, 0, 1]


def test_batches_come_as_the_set_shows_them() -> None:
    one = sets(5)[1]

    def batches() -> Iterator[Batch]:
        yield from DataLoader(one.examples, 2, collate_fn=collate)

    seen: Sequence[Batch] = list(shifted_batches(one, batches(), CPU))
    assert [len(batch.labels) for batch in seen] == [2, 2, 1]
    for batch, original in zip(seen, batches(), strict=True):
        assert torch.equal(batch.images, dark(original.images, original.indices))
        assert torch.equal(batch.indices, original.indices)
