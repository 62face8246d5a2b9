import torch

from robust_tuning.shifts.corruptions.levels import truncated


def test_levels_are_cut_not_rounded() -> None:
    levels = torch.tensor([[0.0, 0.9], [127.5, 254.998]], dtype=torch.float64)
    assert truncated(levels).tolist() == [[0, 0], [127, 254]]
    assert truncated(levels).dtype == torch.uint8


def test_whole_levels_survive_rounding_errors() -> None:
    whole = torch.arange(256.0)
    assert torch.equal(truncated(whole * (1 - 1e-6)), whole.byte())
    assert torch.equal(truncated(whole / 255 * 255), whole.byte())
