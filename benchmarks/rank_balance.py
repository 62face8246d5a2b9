"""How long processes wait for one another where all robust examples lie together.

    OMP_NUM_THREADS=1 python -m benchmarks.rank_balance [--n 400] [--batch-size 8] [--steps 40]
        [--devices 2] [--rounds 3]

Run from a checkout; needs nothing. A small network is attacked by PGD with several processes on the
CPU. Of the examples, sorted so, the first half are robust and take every step, the second half
fall at the first. `ranges` gives each process one range of them, as many as any other; `ranks`
shares them out as `evaluate` does, by its defaults; `worst` does too, but the robust ones are just
those that lie with the first process. Idle is the share of the time from the common beginning to
the end of the last process in which a process had nothing to do. docs/devices.md says what came
out.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, distributed, multiprocessing, nn

from benchmarks.peers.reporting import setting
from robust_tuning.attacks import PGD, evaluate
from robust_tuning.processes import Processes
from robust_tuning.types import Batch

WAYS = ("ranges", "ranks", "worst")
_SIZE = 16
_LOADED = 32


class Halves(nn.Module):
    """A network of some depth, after which brightness alone decides, slowly or at once."""

    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Conv2d(3 if not depth else 24, 24, 3, padding=1) for depth in range(6)]
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 2))

    def forward(self, images: Tensor) -> Tensor:
        """Class 1 where an image is brighter than a half; the network adds its work alone."""
        brightness = images.mean((1, 2, 3)) - 0.5
        work: Tensor = 1e-6 * self.body(images)
        return work + 1000 * torch.stack([-brightness, brightness], 1)


class Sorted:
    """Images far from the boundary, and images next to it."""

    def __init__(self, robust: Tensor) -> None:
        level = torch.where(robust, 0.9, 0.5005)
        noise = torch.rand(len(robust), 3, _SIZE, _SIZE, generator=torch.manual_seed(0))
        self.images = (level.view(-1, 1, 1, 1) + 1e-4 * (noise - 0.5)).clamp(0, 1)

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[Batch]:
        return self.batches(range(len(self)))

    def batches(self, positions: Sequence[int]) -> Iterator[Batch]:
        """Many, in batches."""
        for start in range(0, len(positions), _LOADED):
            yield self.few(positions[start : start + _LOADED])

    def few(self, positions: Sequence[int]) -> Batch:
        """Some."""
        places = torch.tensor(positions)
        return Batch(self.images[places], torch.ones_like(places), places)


def robust_examples(way: str, n: int, size: int) -> Tensor:
    """Which of the examples are robust."""
    if way == "worst":
        return torch.arange(n) % size == 0
    return torch.arange(n) < n // 2


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("n", 400), ("batch-size", 8), ("steps", 40), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--devices", type=int, default=2)
    asked = parser.parse_args()
    print(setting(["torch"], torch.device("cpu")))
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.spawn(_process, (asked, folder), nprocs=asked.devices)


def _process(rank: int, asked: argparse.Namespace, folder: str) -> None:
    torch.set_num_threads(1)
    meeting = f"file://{Path(folder) / 'meeting'}"
    distributed.init_process_group("gloo", meeting, rank=rank, world_size=asked.devices)
    model, attack = Halves(), PGD(eps="2/255", steps=asked.steps)
    everyone = Processes.current()
    _measure("ranks", model, attack, everyone, asked)  # the first time is slower
    for way in WAYS:
        rounds = [_measure(way, model, attack, everyone, asked) for _ in range(asked.rounds)]
        if rank == 0:
            idle = [1 - sum(busy) / (len(busy) * wall) for busy, wall, _ in rounds]
            wall = statistics.median(wall for _, wall, _ in rounds)
            by_rank = [
                statistics.median(100 * (1 - busy[r] / wall) for busy, wall, _ in rounds)
                for r in range(asked.devices)
            ]
            words = ", ".join(f"{share:.1f} %" for share in by_rank)
            print(
                f"{way:<8} idle {100 * statistics.median(idle):5.1f} %  by rank {words}  "
                f"{wall:.2f} s  {rounds[0][2]} robust"
            )
    distributed.destroy_process_group()


def _measure(
    way: str, model: nn.Module, attack: PGD, everyone: Processes, asked: argparse.Namespace
) -> tuple[list[float], float, int]:
    """Seconds in which each process was busy, those of the last, and robust examples."""
    examples = Sorted(robust_examples(way, asked.n, everyone.size))
    settings = {"batch_size": asked.batch_size, "sanity": False}
    distributed.barrier()
    began = time.perf_counter()
    if way == "ranges":
        bounds = torch.arange(asked.n).tensor_split(everyone.size)
        own = examples.batches(bounds[everyone.rank].tolist())
        outcomes = evaluate(model, own, attack, **settings)
        seconds, waited = time.perf_counter() - began, 0.0
        robust = sum(everyone.gather(int(outcomes.robust[attack.threat.key].sum())))
    else:
        processes = Waiting(everyone.rank, everyone.size)
        outcomes = evaluate(model, examples, attack, processes=processes, **settings)
        seconds, waited = time.perf_counter() - began, processes.waited
        robust = int(outcomes.robust[attack.threat.key].sum())
    busy = everyone.gather(seconds - waited)
    return busy, max(everyone.gather(seconds)), robust


class Waiting(Processes):
    """Notes how long it waits for the others."""

    def __init__(self, rank: int, size: int) -> None:
        super().__init__(rank, size)
        self.waited = 0.0

    def gather(self, own: object) -> list:  # type: ignore[override, type-arg]  # of anything
        """Wait, and note how long."""
        began = time.perf_counter()
        found = super().gather(own)
        self.waited += time.perf_counter() - began
        return found


if __name__ == "__main__":
    main()
