from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from robust_tuning.attacks import APGD
from robust_tuning.attacks.apgd_momentum import checkpoints
from robust_tuning.attacks.oracle import Oracle
from tests.attacks.test_apgd import started
from tests.attacks.toys import grey


class Peak(nn.Module):
    """The loss is largest where the first pixel has a certain value; the answer is always right."""

    def __init__(self, top: float) -> None:
        super().__init__()
        self.top = top

    def forward(self, pictures: Tensor) -> Tensor:
        away = (pictures[:, 0, 0, 0] - self.top).abs()
        return torch.stack([1 + away, 0 * away], dim=1)


def test_steps_reckoned_by_hand() -> None:
    net, pictures, labels = Peak(0.56), grey([0.5]), torch.tensor([0])
    attack = APGD(eps=0.2, steps=10)
    assert checkpoints(10, 0.75) == (-1, -1, 1, 0, 0, 0, 0, 0, 0, 0, 0)
    state = started(attack, net, pictures, labels)
    state.iterate = pictures - 0.2
    path = []
    for _ in range(6):
        state = attack.step(Oracle(net), state)
        path.append(float(state.adversarial[0, 0, 0, 0]))
    # 0.3 + 0.4; then three quarters of the way to 0.3 or 0.7, and a quarter of the step before.
    # 0.4 is worse than 0.6, the best: back there with half the step and no momentum.
    assert path == pytest.approx([0.7, 0.5, 0.6, 0.4, 0.45, 0.5625])
    assert float(state.step_size) == pytest.approx(0.2)
    assert float(state.adversarial[0, 1, 0, 0]) == pytest.approx(0.3)  # no gradient, no step


def test_an_iterate_that_is_only_as_good_is_not_the_best() -> None:
    net, pictures, labels = Peak(0.5), grey([0.5]), torch.tensor([0])
    attack = APGD(eps=0.25, steps=10)
    state = started(attack, net, pictures, labels)
    state.iterate = pictures - 0.25
    for _ in range(2):
        seen = state.adversarial
        state = attack.step(Oracle(net), state)
    assert float(seen[0, 0, 0, 0]) == 0.75
    assert float(state.best[0, 0, 0, 0]) == 0.25


def test_checkpoints_are_those_of_the_paper_and_never_skip_the_window() -> None:
    table = checkpoints(100, 0.75)
    times = [0] + [step for step, allowed in enumerate(table) if allowed >= 0]
    assert [b - a for a, b in pairwise(times)] == [22, 19, 16, 13, 10, 7, 6, 6]
    assert [table[step] for step in times[1:]] == [16, 14, 12, 9, 7, 5, 4, 4]
    assert checkpoints(1, 0.75) == (-1, 0)
    # 0.29 * 100 lies a hair under 29 in binary.
    assert max(checkpoints(455, 0.29)) == 29
