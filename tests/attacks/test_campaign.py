from typing import Any

import numpy as np
import pytest

from robust_tuning.attacks import PGD, evaluate
from robust_tuning.attacks.adversary import Adversary, Choice, Stage, Survivors
from robust_tuning.attacks.threat import ThreatModel
from tests.attacks.toys import batches, conv_net, images, labelled

NET = conv_net()
PICTURES = images(90)
LABELS = labelled(NET, PICTURES)


class Gated(Adversary):
    """A short attack, then a long one on survivors of even index, and on one other as an audit."""

    def __init__(self) -> None:
        self.threat = ThreatModel("linf", 0.02)
        self.seed = 0
        self.seen: list[Survivors] = []
        self.classes: list[int] = []

    def stages(self, num_classes: int) -> tuple[Stage, ...]:
        self.classes.append(num_classes)
        long = PGD(eps=0.02, steps=30)
        return Stage(PGD(eps=0.02, steps=1)), Stage(long, self._choose), Stage(long)

    def _choose(self, survivors: Survivors) -> Choice:
        self.seen.append(survivors)
        even = survivors.indices % 2 == 0
        return Choice(even, survivors.indices == self._audited(survivors))

    @staticmethod
    def _audited(survivors: Survivors) -> int:
        return int(survivors.indices[survivors.indices % 2 == 1][0])


def run(adversary: Adversary, size: int = 16) -> Any:
    return evaluate(NET, batches(PICTURES, LABELS, size), adversary, batch_size=size)


def test_a_gate_sees_the_survivors_and_their_leads() -> None:
    gated = Gated()
    run(gated)
    first = run(PGD(eps=0.02, steps=1))
    (survivors,) = gated.seen
    (robust,) = first.robust.values()
    assert sorted(survivors.indices) == np.flatnonzero(robust).tolist()
    lead = NET(PICTURES).detach()
    own = lead.gather(1, LABELS[:, None]).squeeze(1)
    best = lead.scatter(1, LABELS[:, None], -np.inf).amax(1)
    expected = (own - best).numpy()[survivors.indices]
    assert np.allclose(survivors.clean_margin, expected)
    assert (survivors.margin <= survivors.clean_margin).all()
    assert (survivors.margin > 0).all()
    assert gated.classes == [4]


def test_only_those_chosen_are_attacked_further_in_all_later_stages() -> None:
    gated = Gated()
    outcomes = run(gated)
    (steps,) = outcomes.steps.values()
    (survivors,) = gated.seen
    odd = survivors.indices % 2 == 1
    audited = Gated._audited(survivors)
    left = survivors.indices[odd & (survivors.indices != audited)]
    assert set(steps[left]) == {1}
    (robust,) = outcomes.robust.values()
    assert robust[left].all()
    even = survivors.indices[~odd]
    assert set(steps[even[robust[even]]]) == {61}


def test_the_audit_counts_those_left_alone_and_those_that_fell() -> None:
    gated = Gated()
    outcomes = run(gated)
    (survivors,) = gated.seen
    (audit,) = outcomes.audits.values()
    (robust,) = outcomes.robust.values()
    assert audit.left_alone == (survivors.indices % 2 == 1).sum()
    assert audit.sampled == 1
    assert audit.broken == int(not robust[Gated._audited(survivors)])


@pytest.mark.parametrize("size", [1, 13, 90])
def test_batches_change_nothing(size: int) -> None:
    one, other = run(Gated()), run(Gated(), size)
    assert all((one.robust[key] == other.robust[key]).all() for key in one.robust)
    assert all((one.steps[key] == other.steps[key]).all() for key in one.steps)
    assert one.backward == other.backward
