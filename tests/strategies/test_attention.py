"""What the table of attention classes claims, by behaviour: one small module of every class."""

from typing import Any, NamedTuple

import pytest
import timm
import torch
from torch import Tensor, nn

from robust_tuning.strategies.attention import (
    _LAYOUTS,
    inert_biases,
    layout_of,
    projections_of,
)
from robust_tuning.strategies.projections import fuse_projections, split_projections


class Case(NamedTuple):
    settings: dict[str, Any]
    shape: tuple[int, ...] = (2, 9, 16)
    extra: tuple[Any, ...] = ()
    axis: str = "token"  # what one query decides alone: an output token, or an output channel
    query: str = "q"


HEADS = {"dim": 16, "num_heads": 2}
BIAS = {**HEADS, "qkv_bias": True}
MAP = (2, 3, 3, 16)
MODELS = "timm.models"
WINDOW = {**BIAS, "window_size": (3, 3)}
CASES = {
    "timm.layers.attention.Attention": [Case(BIAS), Case({**BIAS, "attn_head_dim": 4})],
    "timm.layers.attention.AttentionRope": [Case(BIAS), Case({**BIAS, "qkv_fused": False})],
    f"{MODELS}.vision_transformer_relpos.RelPosAttention": [Case(BIAS)],
    f"{MODELS}.vision_transformer_sam.Attention": [
        Case({**BIAS, "use_rel_pos": True, "input_size": (3, 3)}, MAP)
    ],
    f"{MODELS}.beit.Attention": [Case(BIAS), Case({**BIAS, "qkv_bias_separate": True})],
    f"{MODELS}.eva.EvaAttention": [
        Case({**BIAS, "scale_norm": False}),
        Case({**BIAS, "scale_norm": False, "qkv_fused": False}),
        Case({**BIAS, "scale_norm": False, "qkv_bias_separate": True}),
    ],
    f"{MODELS}.swin_transformer.WindowAttention": [Case({**WINDOW, "window_size": 3})],
    f"{MODELS}.swin_transformer_v2.WindowAttention": [Case(WINDOW)],
    f"{MODELS}.swin_transformer_v2_cr.WindowMultiHeadAttention": [
        Case({**HEADS, "window_size": (3, 3)})
    ],
    f"{MODELS}.maxxvit.AttentionCl": [
        Case({"dim": 16, "dim_head": 4, "head_first": True}, MAP),
        Case({"dim": 16, "dim_head": 4, "head_first": False}, MAP),
    ],
    f"{MODELS}.tiny_vit.Attention": [
        Case({**HEADS, "key_dim": 4, "attn_ratio": ratio, "resolution": (3, 3)}) for ratio in (1, 3)
    ],
    f"{MODELS}.nest.Attention": [Case(BIAS, (2, 1, 9, 16))],
    f"{MODELS}.gcvit.WindowAttentionGlobal": [
        Case({**WINDOW, "use_global": False}),
        Case({**WINDOW, "use_global": True}, extra=(torch.ones(2, 9, 16),)),
    ],
    f"{MODELS}.hiera.MaskUnitAttention": [
        Case({"dim": 16, "dim_out": 8, "heads": 2, "window_size": 9, "use_mask_unit_attn": unit})
        for unit in (True, False)
    ],
    f"{MODELS}.hieradet_sam2.MultiScaleAttention": [Case({**HEADS, "dim_out": 8}, MAP)],
    f"{MODELS}.mvitv2.MultiScaleAttention": [
        Case({**BIAS, "dim_out": 8, "feat_size": (3, 3), "has_cls_token": False}, extra=([3, 3],))
    ],
    f"{MODELS}.davit.WindowAttention": [Case({**BIAS, "window_size": (3, 3)})],
    f"{MODELS}.davit.ChannelAttention": [Case(BIAS, axis="channel", query="k")],
    f"{MODELS}.davit.ChannelAttentionV2": [Case(BIAS, axis="channel")],
    f"{MODELS}.xcit.XCA": [Case(BIAS, axis="channel")],
    f"{MODELS}.cait.TalkingHeadAttn": [Case(BIAS)],
    f"{MODELS}.cait.ClassAttn": [Case(BIAS)],
    f"{MODELS}.convit.MHSA": [Case(BIAS)],
    f"{MODELS}.convit.GPSA": [Case(BIAS)],
    f"{MODELS}.volo.Attention": [Case(BIAS, MAP)],
    f"{MODELS}.volo.ClassAttention": [Case(BIAS)],
    f"{MODELS}.pvt_v2.Attention": [Case(BIAS, extra=([3, 3],))],
    f"{MODELS}.twins.LocallyGroupedAttn": [Case({**HEADS, "ws": 3}, extra=((3, 3),))],
    f"{MODELS}.twins.GlobalSubSampleAttn": [Case(HEADS, extra=((3, 3),))],
    "timm.layers.attention_pool.AttentionPoolLatent": [Case({"in_features": 16, "num_heads": 2})],
    f"{MODELS}.crossvit.CrossAttention": [Case(BIAS)],
    f"{MODELS}.efficientformer.Attention": [
        Case({**HEADS, "key_dim": 4, "attn_ratio": 3, "resolution": 3})
    ],
    f"{MODELS}.fastvit.Attention": [
        Case({"dim": 16, "head_dim": 8, "qkv_bias": True}, (2, 16, 3, 3))
    ],
    f"{MODELS}.metaformer.Attention": [Case({"dim": 16, "head_dim": 8, "qkv_bias": True})],
}
ALL = [
    pytest.param(name, case, id=f"{name.removeprefix('timm.')}-{i}")
    for name, cases in CASES.items()
    for i, case in enumerate(cases)
]
each_case = pytest.mark.parametrize(("name", "case"), ALL)


def build(name: str, case: Case) -> nn.Module:
    module, _, kind = name.rpartition(".")
    torch.manual_seed(0)
    found = getattr(pytest.importorskip(module), kind, None)
    if found is None:
        pytest.skip(f"this release of timm has no {name}")
    attention: nn.Module = found(**case.settings)
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.5)
    for after in ("norm", "mlp"):  # of the pooling layer: what comes after the attention
        if name.endswith("AttentionPoolLatent"):
            setattr(attention, after, nn.Identity())
    attention.double().eval()
    return attention


def output(attention: nn.Module, case: Case) -> Tensor:
    with torch.no_grad():
        return run(attention, case)


def run(attention: nn.Module, case: Case) -> Tensor:
    x = torch.randn(case.shape, generator=torch.Generator().manual_seed(1)).double()
    extra = (e.double() if isinstance(e, Tensor) else e for e in case.extra)
    result = attention(x, *extra)
    found: Tensor = result[0] if isinstance(result, tuple) else result
    return found


def letter_layers(attention: nn.Module) -> dict[str, nn.Linear]:
    names = {
        f"{p}{letter}{s}": letter
        for letter in "qkv"
        for p, s in (("", ""), ("w", ""), ("", "_proj"))
    }
    return {
        names[path.rpartition(".")[2]]: module
        for path, module in attention.named_modules()
        if path.rpartition(".")[2] in names and isinstance(module, nn.Linear)
    }


def shifted(attention: nn.Module, case: Case, letter: str, delta: Tensor) -> Tensor:
    """The output when something is added to what one of the split layers computes."""
    hook = letter_layers(attention)[letter].register_forward_hook(lambda _, __, y: y + delta)
    result = output(attention, case)
    hook.remove()
    return result


def width(attention: nn.Module, letter: str) -> int:
    return int(letter_layers(attention)[letter].weight.shape[0])


def test_every_listed_class_has_a_case() -> None:
    assert set(CASES) == set(_LAYOUTS) - {"timm.models.vision_transformer.Attention"}


@each_case
def test_split_projections_keep_the_output(name: str, case: Case) -> None:
    attention = build(name, case)
    before = output(attention, case)
    assert projections_of(attention) is not None
    split_projections(attention)
    assert torch.allclose(output(attention, case), before, atol=1e-12, rtol=0)
    assert set("kv") <= set(letter_layers(attention))


@each_case
def test_fusing_gives_back_the_stock_state(name: str, case: Case) -> None:
    attention = build(name, case)
    before = {key: value.clone() for key, value in attention.state_dict().items()}
    expected = output(attention, case)
    split_projections(attention)
    fuse_projections(attention)
    after = attention.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert torch.equal(output(attention, case), expected)


@each_case
def test_a_shift_of_all_keys_is_ignored_where_the_table_says_so(name: str, case: Case) -> None:
    attention = build(name, case)
    layout = layout_of(attention)
    split_projections(attention)
    before = output(attention, case)
    for letter in letter_layers(attention):
        delta = torch.randn(width(attention, letter), dtype=torch.float64)
        moved = float((shifted(attention, case, letter, delta) - before).abs().max())
        rotated = name.endswith(("AttentionRope", "EvaAttention"))  # but no rotation is given here
        if letter == "k" and layout is not None and (layout.keys_shift or rotated):
            assert moved < 1e-10
        else:
            assert moved > 1e-6, letter


@each_case
def test_values_enter_linearly_and_keys_do_not(name: str, case: Case) -> None:
    attention = build(name, case)
    split_projections(attention)
    linear = "q" if case.query == "k" else "v"
    before = output(attention, case)
    for letter in letter_layers(attention):
        delta = perturbation(attention, case, letter)
        once = shifted(attention, case, letter, delta) - before
        twice = shifted(attention, case, letter, 2 * delta) - before
        proportional = torch.allclose(twice, 2 * once, atol=1e-9)
        assert proportional == (letter == linear), letter


@each_case
def test_one_query_decides_its_own_output_alone(name: str, case: Case) -> None:
    attention = build(name, case)
    split_projections(attention)
    if case.query not in letter_layers(attention):
        return  # GCViT's global queries and the pooling latents are not computed from the tokens
    if case.axis == "channel":
        attention.proj = nn.Identity()
    before = output(attention, case)
    delta = perturbation(attention, case, case.query)
    if case.axis == "channel":
        delta = torch.zeros_like(delta)
        delta[..., 0] = torch.randn(delta.shape[:-1], dtype=torch.float64)
    moved = (shifted(attention, case, case.query, delta) - before).abs()
    if name.endswith("fastvit.Attention"):
        moved = moved.flatten(2).transpose(1, 2)
    moved = moved.flatten(1, -2) if moved.ndim > 2 else moved[:, None]
    moved = moved if case.axis == "token" else moved.transpose(1, 2)
    assert float(moved[:, 0].max()) > 1e-6
    assert float(moved[:, 1:].sum()) < 1e-10


def perturbation(attention: nn.Module, case: Case, letter: str) -> Tensor:
    """Random numbers for the first token of what a layer computes, and nothing elsewhere."""
    seen: list[Tensor] = []
    hook = letter_layers(attention)[letter].register_forward_hook(lambda _, __, y: seen.append(y))
    output(attention, case)
    hook.remove()
    delta = torch.zeros_like(seen[0])
    first = delta.view(len(delta), -1, delta.shape[-1])[:, 0]
    first.copy_(torch.randn(first.shape, generator=torch.Generator().manual_seed(4)))
    return delta


@each_case
def test_inert_biases_are_those_without_a_gradient(name: str, case: Case) -> None:
    attention = build(name, case)
    result = run(attention, case)
    weights = torch.randn(result.shape, generator=torch.Generator().manual_seed(5)).double()
    torch.autograd.backward((result * weights).sum())
    listed = {f"{n.removeprefix('.')}{part}" for n, part in inert_biases(attention)}
    joint = {p.layer: p for p in projections_of(attention) or ()}
    silent = set()
    for key, parameter in attention.named_parameters():
        if not key.endswith("bias") or parameter.grad is None:
            continue
        projection = joint.get(key.removesuffix(".bias"))
        if float(parameter.grad.abs().max()) < 1e-12:
            silent.add(key)
        elif projection is not None and len(projection.letters) > 1:
            grouped = torch.split(
                parameter.grad.view(projection.groups, -1), list(projection.sizes), dim=1
            )
            parts = dict(zip(projection.letters, grouped, strict=True))
            silent |= {f"{key}[key]" for _ in "k" if float(parts["k"].abs().max()) < 1e-12}
    if name.endswith("AttentionRope"):
        silent = {key for key in silent if "k" not in key}  # rotated in every model that has it
    assert (
        listed
        & {f"{key}{part}" for key in dict(attention.named_parameters()) for part in ("", "[key]")}
        == silent
    )


def test_an_unlisted_class_is_not_understood() -> None:
    class Foreign(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv = nn.Linear(4, 12)

    assert layout_of(Foreign()) is None
    assert projections_of(Foreign()) is None


def test_a_subclass_is_understood_while_it_keeps_the_forward() -> None:
    class Same(timm.layers.Attention):  # type: ignore[misc]  # timm is not typed
        pass

    class Other(timm.layers.Attention):  # type: ignore[misc]  # timm is not typed
        def forward(self, x: Tensor) -> Tensor:
            return x

    assert layout_of(Same(16)) is not None
    assert layout_of(Other(16)) is None
