"""What a shortcut may have missed, by what a random sample says."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Stratum:
    """Examples that one shortcut took for robust, and what was found in a random sample of them.

    Attributes:
        left_alone: Examples taken for robust without the full attack, the sample included.
        sampled: How many of them, chosen at random, were attacked all the same.
        broken: How many of those fell; they do not count as robust.
    """

    left_alone: int
    sampled: int
    broken: int

    def overstated_at_most(self, confidence: float = 0.95) -> int:
        """How many examples may be called robust wrongly, at most, at a confidence.

        The upper Clopper-Pearson limit of the share that falls, of those not sampled.
        """
        unseen = self.left_alone - self.sampled
        if not unseen or not self.sampled:
            return unseen
        if self.broken == self.sampled:
            return unseen
        from scipy.stats import beta  # slow to import

        upper = float(beta.ppf(confidence, self.broken + 1, self.sampled - self.broken))
        return min(unseen, math.ceil(upper * unseen))


@dataclass(frozen=True)
class Audit:
    """The audits of all shortcuts that one robust accuracy took.

    Attributes:
        strata: One for each shortcut: groups of examples without a common member.
    """

    strata: tuple[Stratum, ...]

    @property
    def left_alone(self) -> int:
        """Examples taken for robust by a shortcut."""
        return sum(stratum.left_alone for stratum in self.strata)

    @property
    def sampled(self) -> int:
        """How many of them were attacked all the same."""
        return sum(stratum.sampled for stratum in self.strata)

    @property
    def broken(self) -> int:
        """How many of those fell."""
        return sum(stratum.broken for stratum in self.strata)

    def overstated_at_most(self, confidence: float = 0.95) -> int:
        """How many examples may be called robust wrongly, at most, at a confidence.

        The sum of the strata's limits, each at a confidence such that all hold together
        (Bonferroni): the samples of different shortcuts are not one random sample.

        >>> Audit((Stratum(1060, 60, 0),)).overstated_at_most()
        49
        >>> Audit((Stratum(1060, 60, 0), Stratum(1060, 60, 0))).overstated_at_most()
        120
        """
        each = 1 - (1 - confidence) / max(1, len(self.strata))
        return sum(stratum.overstated_at_most(each) for stratum in self.strata)
