import math

import torch

from robust_tuning.attacks.leads import Leads


def collected(*logits: torch.Tensor) -> Leads:
    leads = Leads()
    for some in logits:
        ranked = some.sort(1, descending=True).values
        leads.add(some, ranked[:, 0] - ranked[:, 1])
    return leads


def test_a_certain_answer_is_one_whose_probability_is_exactly_one() -> None:
    logits = torch.zeros(40, 2)
    logits[:, 0] = torch.arange(40) / 2 + 10
    certain = int((logits.softmax(1)[:, 0] == 1).sum())
    assert 0 < certain < 40
    assert abs(collected(logits).saturated - certain) <= 1  # the last rounding may fall either way
    assert collected(logits[:5], logits[5:]).saturated == collected(logits).saturated


def test_clipped_logits_share_their_largest_value() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(50, 6, generator=generator)
    assert collected(logits).clipped == 0
    expected = int((logits.amax(1) >= 3).sum())
    assert collected(logits[:20].clamp(-3, 3), logits[20:].clamp(-3, 3)).clipped == expected > 10


def test_probabilities_are_told_from_logits() -> None:
    logits = torch.randn(9, 4, generator=torch.Generator().manual_seed(1))
    assert collected(logits.softmax(1)).probabilities
    assert not collected(logits.softmax(1), logits).probabilities
    assert not collected(logits.log_softmax(1)).probabilities
    assert not collected(logits.sigmoid()).probabilities


def test_answers_are_compared_with_their_repetition_and_with_one_alone() -> None:
    logits = torch.tensor([[1.0, 2.0], [3.0, 1.0]])
    for again, alone, expected in (
        (logits, logits[:1] + 1e-3, (False, False)),
        (logits, logits[:1] + 0.1, (False, True)),
        (logits + 1e-6, logits[:1], (True, False)),
        (logits + math.e, logits[:1] + 0.1, (True, False)),
    ):
        leads = Leads()
        leads.compare(logits, again, alone)
        assert (leads.random_model, leads.batch_dependent) == expected
