"""The laws of `Strategy`, on every concrete subclass that the package holds."""

import copy
import importlib
import inspect
import io
import json
import pickle
import pkgutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TypeVar

import pytest
import timm
import torch
from jsonargparse import ArgumentParser
from safetensors.torch import load_file, save_file
from torch import Tensor, distributed, nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

import robust_tuning.strategies
from robust_tuning.backbones import Backbone, BackboneConfig, create_backbone
from robust_tuning.errors import ConfigurationError
from robust_tuning.isolation import undisturbed
from robust_tuning.strategies import Strategy

T = TypeVar("T")
CLASSES = 5
SMALL = {"embed_dim": 128, "depth": 2, "num_heads": 2, "mlp_ratio": 1.0}
SWIN = {"embed_dim": 128, "depths": (2,), "num_heads": (2,), "window_size": 4, "mlp_ratio": 1.0}
CONVNEXT = {"dims": (8, 8, 16, 16), "depths": (1, 1, 1, 1)}
CONFIGS = {
    "vit": BackboneConfig("vit_tiny_patch16_224", False, 32, kwargs=SMALL),
    "beit": BackboneConfig("beit_base_patch16_224", False, 32, kwargs=SMALL),
    "swin": BackboneConfig("swin_tiny_patch4_window7_224", False, 32, kwargs=SWIN),
    "resnet": BackboneConfig("test_resnet", False, 32),
    "convnext": BackboneConfig("test_convnext", False, 32, kwargs=CONVNEXT),
}
TRANSFORMERS = ("vit", "beit", "swin")


def strategies() -> list[type[Strategy]]:
    package = robust_tuning.strategies
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    found, queue = [], [Strategy]
    while queue:
        for child in queue.pop().__subclasses__():
            queue.append(child)
            if not inspect.isabstract(child) and child.__module__.startswith(package.__name__):
                found.append(child)
    return sorted(found, key=lambda kind: kind.__name__)


STRATEGIES = strategies()
# What inserts nothing has to work everywhere.
PAIRS = [
    pytest.param(kind, name, id=f"{kind.__name__}-{name}")
    for kind in STRATEGIES
    for name in CONFIGS
    if name in TRANSFORMERS or kind.insert is Strategy.insert
]
each_pair = pytest.mark.parametrize(("kind", "backbone"), PAIRS)
each_strategy = pytest.mark.parametrize("kind", STRATEGIES, ids=lambda kind: kind.__name__)


@cache
def pretrained(name: str) -> Backbone:
    """A backbone whose weights are all in play: none zero, no scale tiny."""
    model = create_backbone(CONFIGS[name], CLASSES)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            spread = 0.05 if parameter.ndim > 1 else 0.2
            parameter.add_(spread * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def adapted(kind: type[Strategy], name: str, seed: int = 0, trained: bool = False) -> Backbone:
    model = copy.deepcopy(pretrained(name))
    torch.manual_seed(seed)
    kind().adapt(model)
    if trained:
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def images(dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(2)).to(dtype)


def logits(model: nn.Module) -> Tensor:
    with torch.no_grad():
        result: Tensor = model(images())
    return result


def test_finds_the_seven() -> None:
    seven = {"FullFineTuning", "LinearProbe", "BitFit", "LoRA", "IA3", "Adapter", "Compacter"}
    assert seven <= {kind.__name__ for kind in STRATEGIES}


@each_pair
def test_every_trainable_parameter_is_in_exactly_one_group(
    kind: type[Strategy], backbone: str
) -> None:
    model = adapted(kind, backbone)
    groups = kind().param_groups(model, lr=0.1, weight_decay=0.3)
    grouped = [id(p) for group in groups for p in group["params"]]
    trainable = [id(p) for p in model.parameters() if p.requires_grad]
    assert sorted(grouped) == sorted(trainable)
    assert all(group["params"] and group["lr"] == 0.1 for group in groups)
    assert {group["weight_decay"] for group in groups} <= {0.0, 0.3}
    torch.optim.AdamW(groups)


@each_pair
def test_the_head_trains(kind: type[Strategy], backbone: str) -> None:
    model = adapted(kind, backbone)
    assert [p.requires_grad for _, p in model.head_parameters()] == [True, True]


@each_pair
def test_what_trains_learns_and_the_rest_never_changes(kind: type[Strategy], backbone: str) -> None:
    strategy, model = kind(), adapted(kind, backbone).double().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    optimizer = torch.optim.SGD(strategy.param_groups(model, 0.1, 0.0))
    inert = strategy.inert_parameters(model)
    for _ in range(3):
        optimizer.zero_grad()
        loss = cross_entropy(model(images(torch.float64)), torch.arange(2))
        torch.autograd.backward(loss)
        gradients = {n: p.grad for n, p in model.named_parameters()}
        assert all(
            (gradients[n] is not None) == p.requires_grad for n, p in model.named_parameters()
        )
        optimizer.step()
    after = model.state_dict()
    parameters = dict(model.named_parameters())
    trains = {name for name, parameter in parameters.items() if parameter.requires_grad}
    full = len(trains) == len(parameters)
    for name in before:
        if name in trains:
            assert name in inert or not torch.equal(before[name], after[name]), name
        elif name in parameters or not full:
            assert torch.equal(before[name], after[name]), name


@pytest.fixture
def group_of_one() -> Iterator[None]:
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.usefixtures("group_of_one")
@pytest.mark.filterwarnings("ignore:Grad strides do not match")  # of an axis of length one
@each_pair
def test_processes_wait_for_no_gradient_that_never_comes(
    kind: type[Strategy], backbone: str
) -> None:
    model = adapted(kind, backbone).train()
    parallel = DistributedDataParallel(model, find_unused_parameters=False)
    for _ in range(2):  # a pass fails where the one before has left out a parameter
        cross_entropy(parallel(images()), torch.arange(2)).backward()
        with undisturbed(model):  # an evaluation in between, which freezes everything
            model(images())


@each_pair
def test_inert_parameters_have_no_gradient_and_the_others_have(
    kind: type[Strategy], backbone: str
) -> None:
    strategy, model = kind(), adapted(kind, backbone, trained=True).double().eval()
    weights = torch.randn(2, CLASSES, generator=torch.Generator().manual_seed(3)).double()
    (model(images(torch.float64)) * weights).sum().backward()
    inert = strategy.inert_parameters(model)
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        assert parameter.grad is not None
        rows = parameter.grad.view(3, -1) if f"{name}[key]" in inert else parameter.grad[None]
        silent = [float(row.abs().max()) < 1e-12 for row in rows]
        expected = [False, True, False] if len(rows) == 3 else [name in inert]
        assert silent == expected, name
    named = {name.removesuffix("[key]") for name in inert}
    assert named <= {name for name, p in model.named_parameters() if p.requires_grad}
    assert all(inert.values())


@each_pair
def test_merged_gives_the_same_logits_and_leaves_no_trace(
    kind: type[Strategy], backbone: str
) -> None:
    strategy, model = kind(), adapted(kind, backbone, trained=True)
    before = copy.deepcopy(model.state_dict())
    expected = logits(model)
    with strategy.merged(model):
        assert torch.allclose(logits(model), expected, atol=1e-5)
        with strategy.merged(model):
            assert torch.allclose(logits(model), expected, atol=1e-5)
    assert same(before, model.state_dict())
    assert torch.equal(logits(model), expected)


@each_pair
def test_merged_leaves_no_trace_after_an_error(kind: type[Strategy], backbone: str) -> None:
    strategy, model = kind(), adapted(kind, backbone, trained=True)
    before = copy.deepcopy(model.state_dict())
    expected = logits(model)
    with pytest.raises(ZeroDivisionError), strategy.merged(model):
        _ = 1 / 0
    assert same(before, model.state_dict())
    assert torch.equal(logits(model), expected)


@each_pair
def test_merged_lets_gradients_reach_the_input(kind: type[Strategy], backbone: str) -> None:
    strategy, model = kind(), adapted(kind, backbone, trained=True)
    x = images().requires_grad_()
    expected = torch.autograd.grad(model(x).square().sum(), x)[0]
    with torch.inference_mode(), strategy.merged(model), torch.inference_mode(False):
        found = torch.autograd.grad(model(x).square().sum(), x)[0]
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-5)


@each_pair
def test_export_loads_into_a_stock_model_or_says_why_not(
    kind: type[Strategy], backbone: str
) -> None:
    strategy, model = kind(), adapted(kind, backbone, trained=True)
    before = copy.deepcopy(model.state_dict())
    expected = logits(model)
    state, refusal = outcome(lambda: strategy.export_state(model))
    if state is None:
        assert one_line(refusal)
        assert kind.insert is not Strategy.insert
    else:
        config = CONFIGS[backbone]
        size = {"img_size": 32} if backbone in TRANSFORMERS else {}
        stock = timm.create_model(config.name, num_classes=CLASSES, **size, **config.kwargs)
        stock.load_state_dict(state, strict=True)
        with torch.no_grad():
            found = stock.eval()(model.normalize(images()))
        assert torch.allclose(found, expected, atol=1e-5)
    assert same(before, model.state_dict())
    assert torch.equal(logits(model), expected)


@each_pair
def test_trained_state_rebuilds_the_logits_bit_for_bit(
    kind: type[Strategy], backbone: str, tmp_path: Path
) -> None:
    model = adapted(kind, backbone, trained=True)
    state = model.trained_state()
    save_file(state, tmp_path / "state.safetensors")
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    for stored in (
        load_file(tmp_path / "state.safetensors"),
        torch.load(buffer, weights_only=True),
    ):
        fresh = adapted(kind, backbone, seed=99)
        assert not torch.equal(logits(fresh), logits(model))
        assert fresh.load_state_dict(stored, strict=False).unexpected_keys == []
        assert torch.equal(logits(fresh), logits(model))


@each_pair
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_equal_and_independent(
    kind: type[Strategy], backbone: str, duplicate: Callable[[Backbone], Backbone]
) -> None:
    model = adapted(kind, backbone, trained=True)
    expected = logits(model)
    clone = duplicate(model)
    assert torch.equal(logits(clone), expected)
    assert [n for n, _ in clone.named_parameters()] == [n for n, _ in model.named_parameters()]
    clone(images()).square().sum().backward()
    for name, parameter in clone.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
    assert all(parameter.grad is None for parameter in model.parameters())
    with torch.no_grad():
        for parameter in clone.parameters():
            parameter.add_(0.1)
    assert not torch.equal(logits(clone), expected)
    assert torch.equal(logits(model), expected)


@each_pair
def test_adapting_twice_is_refused(kind: type[Strategy], backbone: str) -> None:
    model = adapted(kind, backbone)
    for again in (model, copy.deepcopy(model)):
        with pytest.raises(ConfigurationError, match=f"adapted by {kind.__name__} already"):
            kind().adapt(again)


@each_strategy
@pytest.mark.parametrize("backbone", sorted(set(CONFIGS) - set(TRANSFORMERS)))
def test_a_refused_backbone_is_left_untouched(kind: type[Strategy], backbone: str) -> None:
    model = copy.deepcopy(pretrained(backbone))
    _, refusal = outcome(lambda: kind().adapt(model))
    if refusal:
        assert one_line(refusal)
        assert kind.__name__ in refusal
        assert same(model.state_dict(), pretrained(backbone).state_dict())
        assert all(parameter.requires_grad for parameter in model.parameters())
        robust_tuning.strategies.BitFit().adapt(model)
    else:
        assert any(parameter.requires_grad for parameter in model.parameters())


@each_strategy
def test_the_specification_round_trips(kind: type[Strategy]) -> None:
    strategy = kind()
    path = f"{kind.__module__}.{kind.__qualname__}"
    arguments = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in vars(strategy).items()
    }
    assert set(arguments) == set(inspect.signature(kind).parameters)
    text = json.dumps({"strategy": {"class_path": path, "init_args": arguments}})
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--strategy", type=Strategy)
    instantiate = getattr(parser, "instantiate", None) or parser.instantiate_classes  # its old name
    again = instantiate(parser.parse_string(text)).strategy
    assert type(again) is kind
    assert repr(again) == repr(strategy)
    short = instantiate(parser.parse_args([f"--strategy={kind.__name__}"])).strategy
    assert repr(short) == repr(strategy)


@each_strategy
def test_compiles_into_one_graph(kind: type[Strategy]) -> None:
    model = adapted(kind, "vit", trained=True)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    x = images().requires_grad_()
    found = torch.autograd.grad(compiled(x).square().sum(), x)[0]
    assert torch.allclose(found, torch.autograd.grad(model(x).square().sum(), x)[0], atol=1e-5)


def same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def outcome(action: Callable[[], T]) -> tuple[T | None, str]:
    """What an action returns, or the message of its refusal."""
    try:
        return action(), ""
    except ConfigurationError as error:
        return None, str(error)


def one_line(message: str) -> bool:
    return bool(message) and "\n" not in message
