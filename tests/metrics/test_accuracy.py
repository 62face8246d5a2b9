import torch

from robust_tuning.metrics import misclassified


def test_an_answer_that_is_no_number_is_wrong() -> None:
    logits = torch.tensor([[3.0, 1.0, 2.5], [3.0, 1.0, 2.5], [0.0, float("nan"), 0.0]])
    assert misclassified(logits, torch.tensor([0, 2, 0])).tolist() == [False, True, True]


def test_a_tie_is_decided_as_argmax_decides_it() -> None:
    logits = torch.tensor([[1.0, 1.0], [1.0, 1.0]])
    assert misclassified(logits, torch.tensor([0, 1])).tolist() == [False, True]
