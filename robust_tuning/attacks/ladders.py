"""Several radii of one norm: what is known at one need not be found out again at another."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from robust_tuning.attacks.sampling import random_sample
from robust_tuning.attacks.threat import ThreatModel
from robust_tuning.plugins import spec_of

if TYPE_CHECKING:
    from robust_tuning.attacks.campaign import Campaign
    from robust_tuning.attacks.stock import Stock


@dataclass(frozen=True)
class Descent:
    """From the largest radius down: survivors there count as robust at every smaller one.

    Attributes:
        audit: How many of them are attacked at each smaller radius all the same, chosen at random.
    """

    audit: int


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
    campaigns: Sequence["Campaign"], stock: "Stock", descent: Descent | None
) -> Iterator[None]:
    """Carry out the campaigns of one ladder.

    A search for the nearest adversarial image decides every radius at once. Of other attacks,
    upwards, whoever is broken at one radius is broken at the next, since the smaller ball lies in
    the larger: that is certain. Downwards, whoever survives the larger radius is taken for robust
    at the smaller, but for a random sample that is attacked all the same.

    Args:
        campaigns: In the order of `ladders_of`; the first may have begun.
        stock: Every correctly classified example.
        descent: How to go down; None goes up.

    Yields:
        After each step.
    """
    previous: Campaign | None = None
    for campaign in campaigns:
        active = None
        if previous is not None and _decides(previous, campaign):
            campaign.read_off(previous)
            continue
        if previous is not None and descent is not None:
            inherited = previous.ledger.robust & campaign.ledger.robust
            places = np.flatnonzero(inherited)
            audited = places[random_sample(campaign.indices[places], descent.audit, "inherit")]
            campaign.leave_alone(inherited, audited)
            active = campaign.ledger.robust & ~inherited
            active[audited] = True
        elif previous is not None:
            campaign.ledger.robust &= previous.ledger.robust
        yield from campaign.finish(stock, active)
        previous = campaign


def _decides(one: "Campaign", other: "Campaign") -> bool:
    """Whether one search has found out what the other asks for."""
    if not one.stages or not all(stage.attack.measures_distance for stage in one.stages):
        return False
    first, second = (spec_of(campaign.adversary) for campaign in (one, other))
    without = [{**spec["init_args"], "eps": None} for spec in (first, second)]
    return bool(first["class_path"] == second["class_path"] and without[0] == without[1])
