import torch

from robust_tuning.attacks.tables import on_device


def test_a_table_is_copied_once_for_each_device() -> None:
    cpu, nowhere = torch.device("cpu"), torch.device("meta")
    table = on_device((4, -1, 7), cpu)
    assert table.tolist() == [4, -1, 7]
    assert on_device((4, -1, 7), cpu) is table
    assert on_device((4, -1, 8), cpu)[2] == 8
    assert on_device((4, -1, 7), nowhere).device == nowhere


def test_a_table_that_was_first_asked_for_in_inference_mode_is_an_ordinary_tensor() -> None:
    with torch.inference_mode():
        table = on_device((5, 6, 7, 8), torch.device("cpu"))
    assert not table.is_inference()
