"""What an evaluation does besides attacking: memory, earlier evaluations, checks of its own."""

import logging
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robust_tuning.attacks import FGSM, PGD, Cascade, Square, evaluate
from robust_tuning.errors import ConfigurationError, DataError
from tests.attacks.toys import Recording, batches, conv_net, images, labelled

NET = conv_net()
PICTURES = images(60)
LABELS = labelled(NET, PICTURES)
ATTACK = PGD(eps=0.012, steps=4)
KEY = ATTACK.threat.key


def run(model: nn.Module = NET, attack: Any = ATTACK, **settings: Any) -> Any:
    return evaluate(model, batches(PICTURES, LABELS, 20), attack, batch_size=20, **settings)


# --- memory --------------------------------------------------------------------------------------


class Small(nn.Module):
    """A device that has room for a few images."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.net = conv_net()
        self.room = room
        self.refused = 0

    def forward(self, pictures: Tensor) -> Tensor:
        if len(pictures) > self.room:
            self.refused += 1
            message = "CUDA out of memory"
            raise torch.OutOfMemoryError(message)
        logits: Tensor = self.net(pictures)
        return logits


@pytest.mark.parametrize("room", [1, 7, 19])
def test_out_of_memory_makes_passes_smaller_and_changes_no_result(
    room: int, caplog: pytest.LogCaptureFixture
) -> None:
    small = Small(room)
    outcomes, expected = run(small), run()
    assert (outcomes.robust[KEY] == expected.robust[KEY]).all()
    assert (outcomes.steps[KEY] == expected.steps[KEY]).all()
    # What has failed is not counted as a pass.
    assert (outcomes.forward, outcomes.backward) == (expected.forward, expected.backward)
    messages = [record.message for record in caplog.records]
    assert len(messages) == small.refused <= 5  # once for each halving, never again
    assert "out of memory with 20 examples in one pass: going on with 10" in messages[0]


def test_where_not_even_one_fits_the_error_is_the_devices() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        run(Small(0))


# --- earlier evaluations -------------------------------------------------------------------------


def test_a_warm_start_can_only_find_more() -> None:
    first = run(keep="float32")
    again = run(warm_start=first.adversarial)
    assert (again.robust[KEY] <= first.robust[KEY]).all()
    other = run(conv_net(seed=1))
    warm = run(conv_net(seed=1), warm_start=first.adversarial)
    assert (warm.robust[KEY] <= other.robust[KEY]).all()


def test_a_warm_start_begins_where_the_last_search_ended() -> None:
    long = run(attack=PGD(eps=0.012, steps=60), keep="float32")
    short = PGD(eps=0.012, steps=1)
    cold, warm = run(attack=short), run(attack=short, warm_start=long.adversarial)
    assert warm.robust[KEY].sum() == long.robust[KEY].sum() < cold.robust[KEY].sum()
    # Whoever fell before falls at the start, without a step.
    fallen = long.clean_correct & ~long.robust[KEY]
    assert (warm.steps[KEY][fallen] == 0).all()


def test_a_warm_start_of_some_examples_and_of_other_radii() -> None:
    some = evaluate(NET, batches(PICTURES[:30], LABELS[:30]), ATTACK, keep="float32").adversarial
    warm, cold = run(warm_start=some), run()
    assert (warm.robust[KEY][30:] == cold.robust[KEY][30:]).all()
    assert (warm.steps[KEY][30:] == cold.steps[KEY][30:]).all()
    other = {"linf-0.5": some[KEY]}
    assert (run(warm_start=other).steps[KEY] == cold.steps[KEY]).all()


def test_attacks_that_cannot_begin_elsewhere_are_left_as_they_are() -> None:
    kept = run(keep="float32").adversarial
    attack = Cascade([FGSM(eps=0.012), Square(eps=0.012, queries=10)])
    warm, cold = run(attack=attack, warm_start=kept), run(attack=attack)
    assert (warm.robust[KEY] == cold.robust[KEY]).all()
    assert warm.forward == cold.forward


# --- checks of its own ---------------------------------------------------------------------------


def test_every_valid_image_is_tried_on_survivors_alone() -> None:
    healthy = run().diagnostics[KEY]
    assert healthy.unlimited == 16
    assert healthy.unlimited_robust == 0
    fallen = run(attack=PGD(eps=0.3, steps=30)).diagnostics
    (diagnostics,) = fallen.values()
    assert diagnostics.unlimited == 0
    assert run(sanity=False).diagnostics[KEY].unlimited == 0


def test_the_checks_of_its_own_change_no_verdict_and_are_counted() -> None:
    net = Recording(NET)
    plain, checked = run(sanity=False), run(net)
    assert (plain.robust[KEY] == checked.robust[KEY]).all()
    assert (plain.steps[KEY] == checked.steps[KEY]).all()
    assert checked.forward == sum(net.sizes) > plain.forward


def test_the_largest_memory_is_reported() -> None:
    held = torch.zeros(50_000_000)
    assert run().peak_memory > held.numel() * 4


def test_fewer_examples_than_asked_for_are_refused() -> None:
    with pytest.raises(DataError, match="there were 60 examples, expected 64: the loader dropped"):
        run(total=64)


def test_an_audit_of_less_than_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="audit is -1"):
        run(audit=-1)


# --- what is probably a mistake -------------------------------------------------------------------


class Normalize(nn.Module):
    def __init__(self, mean: Any, std: Any) -> None:
        super().__init__()
        self.mean, self.std = mean, std

    def forward(self, pictures: Tensor) -> Tensor:
        spread = torch.as_tensor(self.std).view(-1, 1, 1)
        return (pictures - torch.as_tensor(self.mean).view(-1, 1, 1)) / spread


def messages(caplog: pytest.LogCaptureFixture, *layers: nn.Module) -> list[str]:
    caplog.clear()
    run(nn.Sequential(*layers, conv_net()), attack=[])
    return [record.message for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_model_that_normalises_twice_is_pointed_at(caplog: pytest.LogCaptureFixture) -> None:
    once = Normalize([0.5, 0.4, 0.3], [0.2, 0.2, 0.2])
    twice = Normalize(torch.tensor([0.5]), torch.tensor([0.5]))
    nothing = Normalize([0.0, 0.0, 0.0], [1.0, 1.0, 1.0])
    assert messages(caplog, once) == []
    assert messages(caplog, once, nothing) == []
    (message,) = messages(caplog, once, twice)
    assert "normalise twice, in 0 and in 1" in message


def test_layers_left_in_training_mode_are_pointed_at(caplog: pytest.LogCaptureFixture) -> None:
    net = nn.Sequential(nn.BatchNorm2d(3), conv_net()).double().eval()
    expected = run(net)
    assert caplog.records == []
    net[0].train()
    outcomes = run(net)
    assert "1 layers of a model in evaluation mode are in training mode (first: 0)" in caplog.text
    assert np.array_equal(outcomes.robust[KEY], expected.robust[KEY])
    assert net[0].training
    caplog.clear()
    run(net.train())
    assert caplog.records == []  # a model in training, as during `fit`
