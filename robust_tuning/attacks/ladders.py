"""Several radii of one norm: what is known at one need not be found out again at another."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from robust_tuning.attacks.sampling import random_sample
from robust_tuning.attacks.threat import ThreatModel

if TYPE_CHECKING:
    from robust_tuning.attacks.campaign import Campaign
    from robust_tuning.attacks.pool import Waiting

# An audit of 60 without a finding bounds the share overstated by 5 % at 95 % confidence.
_AUDIT = 60


def ladders_of(threats: Sequence[ThreatModel], *, descending: bool) -> list[list[int]]:
    """Group threats by norm, each group in the order in which it is worked on.

    Returns:
        Places in `threats`.

    >>> threats = [ThreatModel("linf", 0.1), ThreatModel("l2", 1.0), ThreatModel("linf", 0.05)]
    >>> ladders_of(threats, descending=False)
    [[2, 0], [1]]
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for place, threat in enumerate(threats):
        groups[threat.norm].append(place)
    return [
        sorted(places, key=lambda place: threats[place].eps, reverse=descending)
        for places in groups.values()
    ]


def climb(
    campaigns: Sequence["Campaign"], kept: Sequence["Waiting"], *, inherit: bool
) -> Iterator[None]:
    """Carry out the campaigns of one ladder.

    Upwards, whoever is broken at one radius is broken at the next, since the smaller ball lies in
    the larger: that is certain. Downwards (`inherit`), whoever survives the larger radius is taken
    for robust at the smaller, but for a random sample that is attacked all the same.

    Args:
        campaigns: In the order of `ladders_of`; the first may have begun.
        kept: Every correctly classified example.
        inherit: Whether the radii fall.

    Yields:
        After each step.
    """
    previous: Campaign | None = None
    for campaign in campaigns:
        active = None
        if previous is not None and inherit:
            inherited = previous.ledger.robust & campaign.ledger.robust
            places = np.flatnonzero(inherited)
            audited = places[random_sample(campaign.indices[places], _AUDIT, "inherit")]
            campaign.leave_alone(inherited, audited)
            active = campaign.ledger.robust & ~inherited
            active[audited] = True
        elif previous is not None:
            campaign.ledger.robust &= previous.ledger.robust
        yield from campaign.finish(kept, active)
        previous = campaign
