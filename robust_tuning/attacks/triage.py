"""The verdict of long attacks for a fraction of their cost."""

import math

import numpy as np

from robust_tuning.attacks.adversary import Adversary, Choice, Stage, Survivors
from robust_tuning.attacks.apgd import APGD
from robust_tuning.attacks.sampling import random_sample
from robust_tuning.attacks.threat import ThreatModel, parse_fraction
from robust_tuning.errors import ConfigurationError
from robust_tuning.types import Norm

_LEAST_AUDITED = 10
_TARGETS = 9


class Triage(Adversary):
    """A cheap strong attack on all, long attacks where they may help, an audit of the rest.

    1. APGD on the cross-entropy and targeted APGD on the three most likely classes, few steps each.
    2. Survivors are ranked by the smallest lead of the label that was seen, relative to the lead on
       the clean image. The `borderline` share with the smallest is attacked by `restarts` runs of
       APGD of 100 steps on the cross-entropy, and by targeted APGD of 100 steps on up to nine
       classes. What a cheap attack misses lies there: nearly broken, or broken from another start.
    3. So is a random sample of the others. What falls in it does not count as robust, and how many
       fall bounds how many more would: `Outcomes.audits`.

    The attacks and budgets are those of AutoAttack (arXiv 2003.01690) without FAB and Square, whose
    cost buys more as restarts on borderline examples; the triage is ours.

    Args:
        eps: Radius in [0, 1] pixel units: a number or a fraction such as `4/255`.
        norm: `linf`, `l2` or `l1`.
        borderline: Share of the survivors that the long attacks work on, in (0, 1].
        audit: Share of the other survivors that they work on too, in [0, 1]; at least ten, unless
            it is 0.
        restarts: Of the long attack on the cross-entropy.
        seed: Where all randomness comes from.

    Raises:
        ConfigurationError: If a setting is out of range, or, from `stages`, if the model has fewer
            than four classes.
    """

    def __init__(
        self,
        *,
        eps: float | str = "1/255",
        norm: Norm = "linf",
        borderline: float = 0.12,
        audit: float = 0.05,
        restarts: int = 5,
        seed: int = 0,
    ) -> None:
        if not 0 < borderline <= 1 or not 0 <= audit <= 1:
            message = (
                f"Triage's borderline is {borderline}, expected in (0, 1]; its audit is {audit}, "
                "expected in [0, 1]"
            )
            raise ConfigurationError(message)
        if restarts < 1:
            message = f"Triage's restarts is {restarts}, expected at least 1"
            raise ConfigurationError(message)
        self.eps = eps
        self.norm = norm
        self.borderline = borderline
        self.audit = audit
        self.restarts = restarts
        self.seed = seed
        self.threat = ThreatModel(norm, parse_fraction(eps, "eps"))

    def stages(self, num_classes: int) -> tuple[Stage, ...]:
        """The cheap attacks, then the long ones on those chosen."""
        if num_classes < 4:
            message = (
                f"Triage needs at least 4 classes for its targeted loss, but the model has "
                f"{num_classes}: use a Cascade of APGD with loss 'ce', loss 'margin' and Square"
            )
            raise ConfigurationError(message)
        targets = min(_TARGETS, num_classes - 1)
        cheap = [self._attack(15)] + [self._attack(10, target=rank) for rank in (1, 2, 3)]
        long = [self._attack(100)] * self.restarts
        long += [self._attack(100, target=rank) for rank in range(1, targets + 1)]
        return (
            *(Stage(attack) for attack in cheap),
            Stage(long[0], self._choose, share=min(1.0, self.borderline + self.audit)),
            *(Stage(attack) for attack in long[1:]),
        )

    def _attack(self, steps: int, *, target: int | None = None) -> APGD:
        return APGD(
            eps=self.eps,
            norm=self.norm,
            loss="ce" if target is None else "dlr_targeted",
            steps=steps,
            target=target or 1,
            # Under l1 AutoAttack searches larger balls first, too.
            wide=self.norm == "l1",
            seed=self.seed,
        )

    def _choose(self, survivors: Survivors) -> Choice:
        n = len(survivors.indices)
        relative = survivors.margin / np.maximum(survivors.clean_margin, 1e-12)
        # Of equal rank the example with the smaller index, so that the order does not matter.
        order = np.lexsort((survivors.indices, relative))
        attacked = np.zeros(n, dtype=bool)
        attacked[order[: math.ceil(self.borderline * n)]] = True
        others = np.flatnonzero(~attacked)
        size = max(_LEAST_AUDITED, math.ceil(self.audit * len(others))) if self.audit else 0
        audited = np.zeros(n, dtype=bool)
        audited[others[random_sample(survivors.indices[others], size, f"audit {self.seed}")]] = True
        return Choice(attacked, audited)
