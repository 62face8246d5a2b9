import pytest
import torch

from robust_tuning.attacks import RandomNoise, evaluate
from robust_tuning.attacks.base import Targets
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.errors import ConfigurationError
from tests.attacks.toys import batches, brightness, grey, images


def test_samples_fill_the_ball_and_differ_between_examples_and_steps() -> None:
    attack = RandomNoise(eps=0.1, samples=5)
    pictures = images(2, low=0.4, high=0.6)
    targets = Targets(pictures, torch.zeros(2).long(), torch.zeros(2, 2), torch.tensor([3, 4]))
    model = Oracle(brightness(threshold=9))
    state = attack.start(targets)
    seen = []
    for _ in range(4):
        offsets = state.adversarial - pictures
        assert 0.095 < offsets.abs().max() <= 0.1 + 1e-9
        seen += list(offsets)
        state = attack.step(model, state)
    assert all(not torch.allclose(a, b) for i, a in enumerate(seen) for b in seen[:i])


def test_a_passes_worth_of_noise_is_found_as_often_as_chance_says() -> None:
    # The label flips where one pixel, uniform in 0.5 +- 0.1 - 0.08, lies above the threshold.
    pictures = grey([0.42] * 400)
    labels = torch.zeros(400, dtype=torch.int64)
    for samples, chance in ((1, 0.1), (5, 1 - 0.9**5)):
        attack = RandomNoise(eps=0.1, samples=samples)
        outcomes = evaluate(brightness(), batches(pictures, labels), attack, sanity=False)
        (robust,) = outcomes.robust.values()
        assert (~robust).mean() == pytest.approx(chance, abs=0.08)
        assert outcomes.backward == 0
        assert outcomes.steps[attack.threat.key][robust].tolist() == [samples] * robust.sum()


def test_more_samples_break_no_fewer() -> None:
    pictures, labels = grey([0.42] * 100), torch.zeros(100, dtype=torch.int64)
    few, many = (
        evaluate(brightness(), batches(pictures, labels), RandomNoise(eps=0.1, samples=n))
        for n in (3, 30)
    )
    key = "linf-25.5/255"
    assert (many.robust[key] <= few.robust[key]).all()


def test_no_samples_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="samples is 0, expected at least 1"):
        RandomNoise(samples=0)
