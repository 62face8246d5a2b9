import pytest
import torch

from robust_tuning.errors import ConfigurationError
from robust_tuning.strategies import Adapter
from tests.strategies.small import DEPTH, WIDTH, adapted, logits, network, trained, vit


def test_bottlenecks_at_the_chosen_places_train() -> None:
    model = adapted(Adapter(reduction_factor=10, places=["mlp"]))
    expected: dict[str, tuple[int, ...]] = {}
    for i in range(DEPTH):
        path = f"blocks.{i}.drop_path2.adapter"
        expected[f"{path}.down.weight"], expected[f"{path}.down.bias"] = (6, WIDTH), (6,)
        expected[f"{path}.up.weight"], expected[f"{path}.up.bias"] = (WIDTH, 6), (WIDTH,)
    assert trained(model) == expected


def test_initial_weights_are_normal_with_deviation_two_hundredths() -> None:
    model = adapted(Adapter(reduction_factor=1), width=192)
    for name in trained(model):
        parameter = model.get_parameter(f"net.{name}").detach()
        if name.endswith("bias"):
            assert float(parameter.abs().max()) == 0
        else:
            assert float(parameter.std()) == pytest.approx(0.02, rel=0.05)
            assert float(parameter.abs().max()) > 0.06  # not uniform
    assert not torch.equal(logits(model), logits(vit(width=192)))


def test_identity_start_is_exact_and_learns() -> None:
    model = adapted(Adapter(init="identity"))
    assert torch.equal(logits(model), logits(vit()))
    for _ in range(2):
        loss = model(torch.rand(2, 3, 32, 32)).square().sum()
        torch.autograd.backward(loss)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.grad is not None:
                    parameter.sub_(0.1 * parameter.grad)
    assert all(bool(model.get_parameter(f"net.{n}").any()) for n in trained(model))


def test_stochastic_depth_drops_the_adapter_with_its_sub_layer() -> None:
    model = adapted(Adapter(), drop_path_rate=1.0)
    path = network(model).blocks[1].drop_path2.train()
    h = torch.ones(3, 4, WIDTH)
    assert not bool(path(h).any())
    assert torch.equal(path.eval()(h), h + path.adapter(h))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reduction_factor": 0}, "reduction_factor is 0"),
        ({"places": ["head"]}, "Adapter's places are"),
        ({"init": "zero"}, "init is 'zero', expected 'normal' or 'identity'"),
    ],
)
def test_arguments_that_cannot_work_are_refused(arguments: dict, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ConfigurationError, match=message):
        Adapter(**arguments)


def test_a_bottleneck_of_no_width_is_refused_with_the_largest_factor() -> None:
    with pytest.raises(ConfigurationError, match="at most 64 works"):
        adapted(Adapter(reduction_factor=65))
    assert trained(adapted(Adapter(reduction_factor=64)))


def test_export_says_why_not_and_what_instead() -> None:
    model = adapted(Adapter())
    with pytest.raises(ConfigurationError, match=r"nonlinearity.*trained_state.*LoRA or IA3"):
        Adapter().export_state(model)
