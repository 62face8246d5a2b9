"""What the package costs on top of a hand-written training loop doing the same steps.

Runs both interleaved, evaluation off, and prints the ratio of their times per step:

    python benchmarks/training_overhead.py [--rounds 7] [--strategy LoRA]

Both sides train the same model from the same weights on the same batches in the same order, which
is checked: their weights are equal to the bit at the end.
"""

import argparse
import logging
import statistics
import time
import warnings
from collections.abc import Callable

import torch
from lightning.pytorch import Trainer

import robust_tuning.strategies as strategies
from robust_tuning.data import Digits
from robust_tuning.lr_schedules import CosineDecay
from robust_tuning.tuner import RobustTuner

EPOCHS = 2


def make_tuner(strategy: str) -> RobustTuner:
    """The quickstart's model."""
    return RobustTuner(
        10,
        getattr(strategies, strategy)(),
        lr=5e-3,
        lr_scheduler=lambda optimizer: CosineDecay(optimizer, warmup_steps=10),
    )


def make_data() -> Digits:
    """The quickstart's batches."""
    return Digits(batch_size=64)


def run_package(tuner: RobustTuner, data: Digits) -> float:
    """Fit with the package's own defaults, callbacks and loggers off."""
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=EPOCHS,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        num_sanity_val_steps=0,
    )
    loader = data.train_dataloader()
    began = time.perf_counter()
    trainer.fit(tuner, loader)
    return time.perf_counter() - began


def run_by_hand(tuner: RobustTuner, data: Digits) -> float:
    """The same steps in plain PyTorch."""
    model = tuner.backbone
    groups = tuner.strategy.param_groups(model, tuner.lr, tuner.weight_decay)
    optimizer = torch.optim.AdamW(groups)
    loader = data.train_dataloader()
    schedule = CosineDecay(optimizer, warmup_steps=10, total_steps=EPOCHS * len(loader))
    model.train()
    began = time.perf_counter()
    for epoch in range(EPOCHS):
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]  # the loader's own order
        for images, labels, _ in loader:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            schedule.step()
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--strategy", default="LoRA")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    sides: dict[str, Callable[[RobustTuner, Digits], float]] = {
        "package": run_package,
        "by hand": run_by_hand,
    }
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    data = make_data()
    data.dataset("train")
    for number in range(arguments.rounds + 1):
        weights = []
        order = list(sides) if number % 2 else list(reversed(sides))
        for name in order:
            tuner = make_tuner(arguments.strategy)
            took = sides[name](tuner, data)
            weights.append(tuner.backbone.state_dict())
            if number:  # the first round warms up
                seconds[name].append(took)
        same = all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
        if not same:
            message = "the two loops did not do the same steps: their weights differ"
            raise SystemExit(message)
    steps = EPOCHS * len(data.train_dataloader())
    for name, values in seconds.items():
        per_step = [1e3 * value / steps for value in values]
        print(f"{name:>8}: {statistics.median(per_step):.2f} ms per step (median of {len(values)})")
    ratios = [a / b for a, b in zip(seconds["package"], seconds["by hand"], strict=True)]
    low, high = min(ratios), max(ratios)
    print(f"overhead: {100 * (statistics.median(ratios) - 1):+.1f} % (median of ratios; ", end="")
    print(f"{100 * (low - 1):+.1f} % to {100 * (high - 1):+.1f} %), goal at most +5 %")


if __name__ == "__main__":
    main()
