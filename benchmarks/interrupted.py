"""AutoAttack over 10,000 examples, killed when 80 % of its verdicts are known, and continued.

    OMP_NUM_THREADS=1 python -m benchmarks.interrupted [--n 10000] [--at 0.8]

A small network on handwritten digits and copies of them with noise, since every example that stays
robust takes 8,839 passes. It is evaluated without an interruption, and by a process that dies by
kill -9 and is started again; docs/interruptions.md says what came out. Takes ten minutes.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from benchmarks.peers.reporting import setting
from robust_tuning.attacks import AutoAttack, evaluate
from robust_tuning.attacks.journal import Journal
from robust_tuning.types import Batch


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--at", type=float, default=0.8, help="share of the verdicts known by then")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)  # a process that evaluates
    chosen = parser.parse_args()
    if chosen.into is not None:
        attack(chosen.into, chosen.n)
        return
    print(setting(("torch",), torch.device("cpu")))
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder) / "whole", Path(folder) / "killed"
        start(whole, chosen.n).wait()
        everything = known(whole)
        process = start(killed, chosen.n)
        while known(killed) < chosen.at * everything:
            time.sleep(0.2)
            if process.poll() is not None:
                sys.exit("it ended before it could be killed: give more examples")
        process.send_signal(signal.SIGKILL)
        process.wait()
        print(f"killed with {known(killed):,} of {everything:,} verdicts known")
        start(killed, chosen.n).wait()
        one, other = (np.load(place.with_suffix(".npz")) for place in (whole, killed))
        for key in ("clean", "robust"):
            same = np.array_equal(one[key], other[key])
            print(f"{key}: {one[key].sum():,} of {chosen.n:,}, the same examples: {same}")
        print(f"passes: {one['passes']:,} without the kill, {other['passes']:,} with it")


def start(place: Path, n: int) -> "subprocess.Popen[bytes]":
    """A process that evaluates."""
    words = [sys.executable, "-m", "benchmarks.interrupted", "--n", str(n), "--into", str(place)]
    return subprocess.Popen(words)


def attack(place: Path, n: int) -> None:
    """Evaluate, with a journal and its result beside each other."""
    net, images, labels = material(n)
    parts = (slice(begin, begin + 500) for begin in range(0, n, 500))
    batches = [Batch(images[part], labels[part], torch.arange(n)[part]) for part in parts]
    journal = Journal(place.with_suffix(".jsonl"))
    began = time.perf_counter()
    outcomes = evaluate(net, batches, AutoAttack(eps=0.06), batch_size=1000, journal=journal)
    [robust] = outcomes.robust.values()
    passes = outcomes.forward + outcomes.backward
    np.savez(place, clean=outcomes.clean_correct, robust=robust, passes=passes)
    print(f"{place.name}: evaluated in {time.perf_counter() - began:.0f} s")


def known(place: Path) -> int:
    """How many verdicts a journal holds."""
    file = place.with_suffix(".jsonl")
    whole = file.read_text().rpartition("\n")[0] if file.exists() else ""
    return sum(len(json.loads(line)["verdicts"]) for line in whole.splitlines())


def material(n: int) -> tuple[nn.Module, Tensor, Tensor]:
    """A trained network and images `(n, 1, 8, 8)` with their labels, the same in every process."""
    digits = load_digits()
    pictures = torch.tensor(digits.images / 16, dtype=torch.float32)[:, None]
    labels = torch.tensor(digits.target)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(300):
        noisy = (pictures + 0.1 * torch.randn_like(pictures)).clamp(0, 1)
        optimiser.zero_grad()
        loss: Any = nn.functional.cross_entropy(net(noisy), labels)
        loss.backward()
        optimiser.step()
    chosen = torch.randint(len(pictures), (n,))
    images = (pictures[chosen] + 0.05 * torch.randn(n, 1, 8, 8)).clamp(0, 1)
    return net.eval(), images, labels[chosen]


if __name__ == "__main__":
    main()
