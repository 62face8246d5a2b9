"""Short attacks of our own that show whether a robust accuracy can be what it seems."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from robust_tuning.attacks.apgd import APGD
from robust_tuning.attacks.base import Attack, AttackState
from robust_tuning.attacks.campaign import Campaign
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.attacks.pool import Pool, Slots
from robust_tuning.attacks.stock import Stock
from robust_tuning.processes import Processes

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


class Examiner:
    """Attacks a few survivors of an adversary otherwise.

    Args:
        oracle: The model; its passes are counted.
        slots: How many examples fit.
        stock: Holds the reserve.
        reserve: Positions of some correctly classified examples, ascending.
        processes: Who shares the work.
    """

    def __init__(
        self,
        oracle: Oracle,
        slots: Slots,
        stock: Stock,
        reserve: NDArray[np.int64],
        processes: Processes,
    ) -> None:
        self._oracle = oracle
        self._slots = slots
        self._stock = stock
        self._reserve = reserve
        self._processes = processes

    def opinion(self, campaign: Campaign) -> SecondOpinion:
        """Look at a campaign that has finished."""
        ledger = campaign.ledger
        survived = ledger.robust & ledger.attacked
        if not campaign.stages or not survived.any():
            return SecondOpinion()
        anything = APGD(eps=1, steps=_STEPS)
        looked_at, robust = self._robust(anything, survived)
        blind = survived & ledger.zero_gradient
        if campaign.num_classes < 3 or not blind.any():
            return SecondOpinion(looked_at, robust)
        threat = campaign.adversary.threat
        scale_free = APGD(eps=threat.eps, norm=threat.norm, loss="dlr", steps=_STEPS)
        asked, kept = self._robust(scale_free, blind)
        return SecondOpinion(looked_at, robust, asked, asked - kept)

    def _robust(self, attack: Attack, wanted: NDArray[np.bool_]) -> tuple[int, int]:
        """How many of the first wanted examples were attacked, and how many of them withstood."""
        withstood: list[bool] = []

        def on_end(_: Tensor, state: AttackState) -> None:
            withstood.extend((~state.broken).tolist())

        pool = Pool(self._oracle, attack, self._slots, on_end, stage=_STAGE)
        chosen = np.zeros_like(wanted)
        chosen[self._reserve[wanted[self._reserve]][:_LOOKED_AT]] = True
        for _ in self._stock.work(chosen, pool.feed, pool):
            pass
        everyones = [bit for bits in self._processes.gather(withstood) for bit in bits]
        return len(everyones), sum(everyones)
