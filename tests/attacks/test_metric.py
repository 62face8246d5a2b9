import pickle
from pathlib import Path

import pytest
import torch
from torch import distributed
from torch.utils.data import DataLoader, TensorDataset

from robust_tuning.attacks import PGD, RobustAccuracy, evaluate
from tests.attacks.toys import batches, conv_net, images, labelled

NET = conv_net()
PICTURES = images(50)
LABELS = labelled(NET, PICTURES)
ATTACKS = [PGD(eps=eps, steps=3) for eps in (0.005, 0.015)]


def expected() -> dict[str, float]:
    outcomes = evaluate(NET, batches(PICTURES, LABELS), ATTACKS)
    robust = {key: float(found.mean()) for key, found in outcomes.robust.items()}
    return {"accuracy": float(outcomes.clean_correct.mean()), **robust}


def values(metric: RobustAccuracy) -> dict[str, float]:
    return {key: float(value) for key, value in metric.compute().items()}


@pytest.mark.parametrize("size", [1, 16, 50])
def test_batches_add_up_to_one_evaluation(size: int) -> None:
    metric = RobustAccuracy(ATTACKS)
    for batch in batches(PICTURES, LABELS, size):
        metric.update(NET, *batch)
    assert values(metric) == pytest.approx(expected())
    without = RobustAccuracy(ATTACKS)
    for batch in batches(PICTURES, LABELS, size):
        without.update(NET, batch.images, batch.labels)
    assert values(without) == pytest.approx(expected())


def test_it_begins_anew_and_travels() -> None:
    metric = RobustAccuracy(ATTACKS[0])
    metric.update(NET, PICTURES, 3 - LABELS)
    metric.reset()
    metric.update(NET, PICTURES, LABELS)
    again = pickle.loads(pickle.dumps(metric))
    assert values(again) == values(metric)
    assert values(metric)["accuracy"] == pytest.approx(expected()["accuracy"])


def test_any_loader_of_images_and_labels_will_do() -> None:
    loader = DataLoader(TensorDataset(PICTURES, LABELS), batch_size=16)
    outcomes = evaluate(NET, loader, ATTACKS)
    assert outcomes.indices.tolist() == list(range(50))
    assert {k: v.mean() for k, v in outcomes.robust.items()}.items() <= expected().items()


def _share(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=2)
    metric = RobustAccuracy(ATTACKS)
    for number, batch in enumerate(batches(PICTURES, LABELS, 7)):
        if number % 2 == rank:
            metric.update(NET, *batch)
    torch.save(values(metric), folder / f"{rank}.pt")
    distributed.destroy_process_group()


@pytest.mark.slow
def test_processes_add_up(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(_share, (tmp_path,), nprocs=2)
    for rank in range(2):
        assert torch.load(tmp_path / f"{rank}.pt") == pytest.approx(expected())
