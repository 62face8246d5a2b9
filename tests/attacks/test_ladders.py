from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from robust_tuning.attacks import FMN, PGD, evaluate
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


# --- an attack that looks for the nearest image ---------------------------------------------------


def nearest(*radii: float, **settings: Any) -> Any:
    attacks = [FMN(eps=eps, steps=20) for eps in radii]
    return evaluate(NET, batches(PICTURES, LABELS), attacks, batch_size=32, **settings)


def test_one_run_decides_every_radius() -> None:
    together, alone = nearest(*RADII), {eps: nearest(eps) for eps in RADII}
    for eps in RADII:
        key = FMN(eps=eps).threat.key
        assert (together.robust[key] == alone[eps].robust[key]).all()
        assert (together.distance[key] == alone[eps].distance[key]).all()
        diagnostics = together.diagnostics[key]
        assert diagnostics.attacked == together.clean_correct.sum()
    cost = together.backward - max(run.backward for run in alone.values())
    assert cost < 0.1 * alone[RADII[0]].backward  # the checks of a few survivors, at each radius
    assert (together.robust[FMN(eps=RADII[0]).threat.key]).sum() > 0


def test_a_curve_is_read_off_the_distances() -> None:
    outcomes = nearest(*RADII)
    keys = [FMN(eps=eps).threat.key for eps in RADII]
    expected = [outcomes.robust[key].mean() for key in keys]
    assert np.allclose(outcomes.curve(keys[0], RADII), expected)
    assert outcomes.curve(keys[0], [0.0])[0] == outcomes.clean_correct.mean()
    assert len(set(expected)) == len(RADII)


def test_the_nearest_images_come_back_for_every_radius() -> None:
    outcomes = nearest(*RADII, keep="float32")
    for eps in RADII:
        key = FMN(eps=eps).threat.key
        found = outcomes.adversarial[key]
        assert found.broken.sum() == (outcomes.clean_correct & ~outcomes.robust[key]).sum()


def test_other_settings_are_another_search() -> None:
    attacks = [FMN(eps=0.01, steps=20), FMN(eps=0.02, steps=21)]
    outcomes = evaluate(NET, batches(PICTURES, LABELS), attacks, batch_size=32)
    one, other = (outcomes.distance[a.threat.key] for a in attacks)
    assert not (one == other).all()
