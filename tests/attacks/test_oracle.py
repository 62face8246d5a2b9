import torch
from torch import Tensor, nn

from robust_tuning.attacks.oracle import Oracle
from tests.attacks.toys import conv_net, images


def own_logit(logits: Tensor) -> Tensor:
    return logits[:, 0]


def test_passes_are_counted_in_examples() -> None:
    oracle = Oracle(conv_net())
    oracle.logits(images(5))
    oracle.gradient(images(3), own_logit)
    assert (oracle.forward, oracle.backward) == (8, 3)


def test_the_gradient_is_that_of_each_image_alone() -> None:
    net, pictures = conv_net(), images(4)
    together = Oracle(net).gradient(pictures, own_logit)
    for row in range(4):
        alone = pictures[row : row + 1].clone().requires_grad_()
        value = net(alone)[0, 0]
        (expected,) = torch.autograd.grad(value, alone)
        assert torch.allclose(together.images[row], expected[0], atol=1e-12)
        assert torch.allclose(together.values[row], value.detach(), atol=1e-12)


def test_answers_do_not_drag_a_graph_along() -> None:
    oracle, pictures = Oracle(conv_net()), images(2)
    seen = oracle.gradient(pictures, own_logit)
    found = (oracle.logits(pictures), seen.logits, seen.values, seen.images)
    assert not any(tensor.requires_grad for tensor in found)
    assert torch.allclose(found[0], found[1])
    assert not pictures.requires_grad


def test_parameters_get_no_gradient() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(108, 3)).double()
    Oracle(net).gradient(images(2), own_logit)
    assert all(parameter.grad is None for parameter in net.parameters())
