"""Short attacks of our own that show whether a robust accuracy can be what it seems."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robust_tuning.attacks.apgd import APGD
from robust_tuning.attacks.base import Attack, AttackState
from robust_tuning.attacks.campaign import Campaign
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.attacks.pool import Pool, Slots, Waiting

# Correctly classified examples that are held back for this, and survivors looked at.
RESERVE = 64
_LOOKED_AT = 16
_STEPS = 20
# The number of a stage that no adversary has.
_STAGE = 10_000


@dataclass(frozen=True)
class SecondOpinion:
    """What short attacks found among the survivors of an adversary.

    Attributes:
        unlimited: Survivors attacked with every valid image allowed.
        unlimited_robust: How many of them withstood even that; none can in truth.
        scale_free: Survivors without any gradient that were attacked, within the radius, with a
            loss that a scale of the logits does not change.
        scale_free_broken: How many of them fell.
    """

    unlimited: int = 0
    unlimited_robust: int = 0
    scale_free: int = 0
    scale_free_broken: int = 0


def second_opinion(
    oracle: Oracle, slots: Slots, campaign: Campaign, reserve: Sequence[Waiting]
) -> SecondOpinion:
    """Attack a few survivors of an adversary otherwise.

    Args:
        oracle: The model; its passes are counted.
        slots: How many examples fit.
        campaign: The adversary's, when it has finished.
        reserve: Some correctly classified examples.
    """
    ledger = campaign.ledger
    survived = ledger.robust & ledger.attacked
    if not campaign.stages or not survived.any():
        return SecondOpinion()
    anything = APGD(eps=1, steps=_STEPS)
    looked_at, robust = _robust(oracle, slots, anything, reserve, survived)
    blind = survived & ledger.zero_gradient
    classes = reserve[0].logits.shape[1]
    if classes < 3 or not blind.any():
        return SecondOpinion(looked_at, robust)
    threat = campaign.adversary.threat
    scale_free = APGD(eps=threat.eps, norm=threat.norm, loss="dlr", steps=_STEPS)
    asked, kept = _robust(oracle, slots, scale_free, reserve, blind)
    return SecondOpinion(looked_at, robust, asked, asked - kept)


def _robust(
    oracle: Oracle,
    slots: Slots,
    attack: Attack,
    reserve: Sequence[Waiting],
    wanted: NDArray[np.bool_],
) -> tuple[int, int]:
    """How many of the first wanted examples were attacked, and how many of them withstood."""
    withstood: list[int] = []

    def on_end(_: Tensor, state: AttackState) -> None:
        withstood.extend((~state.broken).tolist())

    pool = Pool(oracle, attack, slots, on_end, stage=_STAGE)
    room = _LOOKED_AT
    for waiting in reserve:
        chosen = torch.from_numpy(wanted[waiting.positions.numpy()]).nonzero().flatten()[:room]
        room -= len(chosen)
        pool.feed(waiting.rows(chosen))
    for _ in pool.work(drain=True):
        pass
    return len(withstood), sum(withstood)
