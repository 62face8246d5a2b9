import pytest
import torch
from torch import nn

from robust_tuning.errors import ConfigurationError
from robust_tuning.objectives import CrossEntropy, LossOutput, Objective
from robust_tuning.plugins import from_spec, spec_of

IMAGES = torch.rand(5, 3, 2, 2, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 1, 0])


def net() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(12, 3))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_the_loss_is_the_mean_cross_entropy_with_the_smoothed_labels(smoothing: float) -> None:
    model = net()
    output = CrossEntropy(label_smoothing=smoothing)(model, IMAGES, LABELS)
    logits = model(IMAGES)
    targets = (1 - smoothing) * nn.functional.one_hot(LABELS, 3) + smoothing / 3
    log_probabilities = logits - logits.exp().sum(1, keepdim=True).log()
    assert torch.allclose(output.loss, -(targets * log_probabilities).sum(1).mean())
    assert torch.equal(output.logits, logits)
    assert output.parts == {}


def test_the_loss_reaches_every_parameter() -> None:
    model = net()
    output = CrossEntropy()(model, IMAGES, LABELS)
    assert isinstance(output, LossOutput)
    torch.autograd.backward(output.loss)
    assert all(float(p.grad.abs().sum()) > 0 for p in model.parameters() if p.grad is not None)
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, 2.0, float("nan")])
def test_smoothing_out_of_range_is_refused(smoothing: float) -> None:
    with pytest.raises(ConfigurationError, match=r"label_smoothing is .*, expected in \[0, 1\)"):
        CrossEntropy(label_smoothing=smoothing)


def test_it_can_be_written_down_and_built_again() -> None:
    again = from_spec(spec_of(CrossEntropy(label_smoothing=0.2)))
    assert isinstance(again, Objective)
    assert again.label_smoothing == 0.2
