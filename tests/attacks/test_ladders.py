from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from robust_tuning.attacks import PGD, evaluate
from robust_tuning.attacks.ladders import ladders_of
from robust_tuning.attacks.threat import ThreatModel
from tests.attacks.toys import batches, conv_net, images, labelled

NET = conv_net()
PICTURES = images(300)
LABELS = labelled(NET, PICTURES)
RADII = (0.005, 0.01, 0.02, 0.03)


def attacks(*, steps: int = 6) -> list[PGD]:
    return [PGD(eps=eps, steps=steps) for eps in RADII]


def run(**settings: Any) -> Any:
    return evaluate(NET, batches(PICTURES, LABELS), attacks(), batch_size=32, **settings)


def test_each_norm_has_a_ladder_in_the_order_of_the_radii() -> None:
    threats = [ThreatModel("linf", e) for e in (0.2, 0.1, 0.3)] + [ThreatModel("l2", 0.5)]
    assert ladders_of(threats, descending=False) == [[1, 0, 2], [3]]
    assert ladders_of(threats, descending=True) == [[2, 0, 1], [3]]


@pytest.mark.parametrize("inherit", [False, True])
def test_robustness_never_grows_with_the_radius(inherit: bool) -> None:
    robust = list(run(inherit=inherit).robust.values())
    for small, large in pairwise(robust):
        assert (large <= small).all()
        assert large.sum() < small.sum()


def test_upwards_nothing_is_missed_that_a_separate_search_finds() -> None:
    together = run()
    assert together.audits == {}
    for attack in attacks():
        alone = evaluate(NET, batches(PICTURES, LABELS), attack)
        key = attack.threat.key
        assert (together.robust[key] <= alone.robust[key]).all()


def test_inheriting_costs_less_and_says_what_it_may_miss() -> None:
    sound, inherited = run(), run(inherit=True)
    assert inherited.backward < 0.9 * sound.backward  # of which the audits take a good part
    largest, *smaller = reversed(RADII)
    assert PGD(eps=largest).threat.key not in inherited.audits
    for eps in smaller:
        key = PGD(eps=eps).threat.key
        audit = inherited.audits[key]
        above = PGD(eps=RADII[RADII.index(eps) + 1]).threat.key
        assert audit.left_alone == inherited.robust[above].sum()
        assert audit.sampled == min(60, audit.left_alone)
        found = int(np.abs(inherited.robust[key].astype(int) - sound.robust[key]).sum())
        assert found <= audit.overstated_at_most()


def test_whoever_is_broken_in_the_audit_does_not_count_as_robust() -> None:
    class Trap(PGD):
        """Finds nothing at the largest radius."""

        def step(self, model: Any, state: Any) -> Any:
            after = super().step(model, state)
            if self.threat.eps == 0.03:
                after.spent = after.spent | after.broken
                after.broken = after.broken & False
            return after

    adversaries = [Trap(eps=eps, steps=6) for eps in (0.02, 0.03)]
    outcomes = evaluate(NET, batches(PICTURES, LABELS), adversaries, inherit=True)
    honest = evaluate(NET, batches(PICTURES, LABELS), PGD(eps=0.02, steps=6))
    small, large = (outcomes.robust[a.threat.key] for a in adversaries)
    assert (large == outcomes.clean_correct).all()
    audit = outcomes.audits[adversaries[0].threat.key]
    assert audit.sampled == 60
    assert audit.broken == (large & ~small).sum() > 10
    overstated = (small & ~honest.robust[adversaries[0].threat.key]).sum()
    assert 0 < overstated <= audit.overstated_at_most()
