import logging
import math

import pytest
import torch
from torch import nn
from torch.optim import SGD

from robust_tuning.errors import ConfigurationError
from robust_tuning.lr_schedules import CosineDecay, LinearDecay, WarmupDecay

LOGGER = "robust_tuning.lr_schedules"


def optimizer(*rates: float) -> SGD:
    return SGD([{"params": [nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates])


def rates(
    kind: type[WarmupDecay], steps: int, *, warmup: int = 0, late: bool = False
) -> list[float]:
    """The rate of each optimiser step, and the one after the last."""
    sgd = optimizer(2.0)
    schedule = kind(sgd, warmup_steps=warmup, total_steps=None if late else steps)
    if late:
        schedule.end_at(steps)
    found = []
    for _ in range(steps + 1):
        found.append(sgd.param_groups[0]["lr"])
        assert schedule.get_last_lr() == [found[-1]]
        sgd.step()
        schedule.step()
    return found


def reference(kind: type[WarmupDecay], step: int, steps: int, warmup: int) -> float:
    if step < warmup:
        return 2 * step / warmup
    left = (step - warmup) / (steps - warmup)
    return 2 * (0.5 + 0.5 * math.cos(math.pi * left)) if kind is CosineDecay else 2 * (1 - left)


@pytest.mark.parametrize("kind", [CosineDecay, LinearDecay])
@pytest.mark.parametrize("warmup", [0, 1, 4, 9])
@pytest.mark.parametrize("late", [False, True])
def test_every_step_has_its_rate_and_the_last_is_zero(
    kind: type[WarmupDecay], warmup: int, late: bool
) -> None:
    found = rates(kind, 10, warmup=warmup, late=late)
    assert found == pytest.approx([reference(kind, s, 10, warmup) for s in range(11)], abs=1e-12)
    assert found[warmup] == 2.0
    assert found[-1] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("kind", [CosineDecay, LinearDecay])
def test_the_rate_never_turns_negative_after_the_end(kind: type[WarmupDecay]) -> None:
    sgd = optimizer(1.0)
    schedule = kind(sgd, total_steps=3)
    for _ in range(8):
        sgd.step()
        schedule.step()
    assert sgd.param_groups[0]["lr"] == pytest.approx(0, abs=1e-12)


def test_every_group_keeps_its_proportion() -> None:
    sgd = optimizer(1.0, 0.1)
    schedule = LinearDecay(sgd, total_steps=4)
    sgd.step()
    schedule.step()
    assert [group["lr"] for group in sgd.param_groups] == pytest.approx([0.75, 0.075])


def test_without_a_length_the_rate_stays_after_the_warmup() -> None:
    sgd = optimizer(1.0)
    schedule = CosineDecay(sgd, warmup_steps=2)
    found = []
    for _ in range(5):
        found.append(sgd.param_groups[0]["lr"])
        sgd.step()
        schedule.step()
    assert found == [0.0, 0.5, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("warmup", [20, 50])
def test_a_warmup_that_fills_the_run_is_shortened_to_a_tenth(
    warmup: int, late: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, LOGGER):
        found = rates(LinearDecay, 20, warmup=warmup, late=late)
    assert found == pytest.approx([reference(LinearDecay, s, 20, 2) for s in range(21)], abs=1e-12)
    (record,) = caplog.records
    assert f"a warm-up of {warmup} steps fills this run of 20 steps" in record.getMessage()


def test_a_warmup_that_fits_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, LOGGER):
        assert rates(LinearDecay, 20, warmup=19)[19] == 2.0
    assert not caplog.records


def test_a_resumed_schedule_continues_where_it_was() -> None:
    whole = rates(CosineDecay, 10, warmup=3)
    sgd = optimizer(2.0)
    schedule = CosineDecay(sgd, warmup_steps=3, total_steps=10)
    for _ in range(4):
        sgd.step()
        schedule.step()
    resumed_sgd = optimizer(2.0)
    resumed = CosineDecay(resumed_sgd, warmup_steps=3, total_steps=10)
    resumed_sgd.load_state_dict(sgd.state_dict())
    resumed.load_state_dict(schedule.state_dict())
    found = []
    for _ in range(7):
        found.append(resumed_sgd.param_groups[0]["lr"])
        resumed_sgd.step()
        resumed.step()
    assert found == pytest.approx(whole[4:])


@pytest.mark.parametrize(("warmup", "total"), [(-1, None), (-1, 5), (0, 0), (0, -3)])
def test_impossible_lengths_are_refused(warmup: int, total: int | None) -> None:
    with pytest.raises(
        ConfigurationError, match=rf"warmup_steps is {warmup}.* total_steps is {total}"
    ):
        LinearDecay(optimizer(1.0), warmup_steps=warmup, total_steps=total)
