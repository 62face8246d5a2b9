import timm
import torch
from torch import nn

from robust_tuning.strategies.bottleneck import AdaptedPath, Bottleneck, insert_bottlenecks, widths


def linear(width: int) -> Bottleneck:
    return Bottleneck(nn.Linear(width, 2), nn.Linear(2, width))


def test_the_correction_is_added_before_the_path() -> None:
    path, adapter = nn.Hardtanh(), linear(4)
    h = torch.randn(3, 5, 4)
    correction = adapter.up(nn.functional.gelu(adapter.down(h)))
    assert torch.allclose(AdaptedPath(path, adapter)(h), (h + correction).clamp(-1, 1))


def test_the_sub_layer_is_corrected_after_its_layer_scale() -> None:
    net = timm.create_model(
        "vit_tiny_patch16_224", img_size=32, embed_dim=8, depth=1, num_heads=2, init_values=0.1
    ).eval()
    block = net.blocks[0]
    x = torch.randn(1, 5, 8)
    attended = block.ls1(block.attn(block.norm1(x)))
    insert_bottlenecks(net, ["attn"], linear, "Test")
    adapter = block.drop_path1.adapter
    middle = x + attended + adapter(attended)
    expected = middle + block.ls2(block.mlp(block.norm2(middle)))
    assert torch.allclose(block(x), expected, atol=1e-6)


def test_widths_are_those_of_every_stage() -> None:
    net = timm.create_model(
        "swin_tiny_patch4_window7_224", img_size=32, embed_dim=16, depths=(1, 1), num_heads=(2, 2)
    )
    assert widths(net, ["attn", "mlp"], "Test") == [16, 32]


def test_device_and_type_follow_the_block() -> None:
    net = timm.create_model(
        "vit_tiny_patch16_224", img_size=32, embed_dim=8, depth=1, num_heads=2
    ).double()
    insert_bottlenecks(net, ["mlp"], linear, "Test")
    assert {p.dtype for p in net.parameters()} == {torch.float64}
