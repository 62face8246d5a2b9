import json

import numpy as np
import pytest

from robust_tuning.attacks import PGD, Cascade, evaluate
from robust_tuning.errors import ConfigurationError
from robust_tuning.plugins import from_spec, spec_of
from tests.attacks.toys import batches, conv_net, images, labelled

NET = conv_net()
PICTURES = images(80)
LABELS = labelled(NET, PICTURES)
QUICK, LONG = PGD(eps=0.02, steps=2), PGD(eps=0.02, steps=12, step_size=0.004, seed=5)
KEY = QUICK.threat.key


def robust(adversary: PGD | Cascade, batch_size: int = 16) -> np.ndarray:
    return evaluate(NET, batches(PICTURES, LABELS), adversary, batch_size=batch_size).robust[KEY]


def test_the_verdict_is_the_worst_case_over_the_attacks() -> None:
    class Late(PGD):
        """As a second stage it draws other random numbers than alone."""

        def example_key(self, index: int, stage: int = 0, restart: int = 0) -> int:
            return super().example_key(index, 0, restart)

    long = Late(eps=0.02, steps=12, step_size=0.004, seed=5)
    expected = robust(QUICK) & robust(long)
    assert (robust(Cascade([QUICK, long])) == expected).all()
    assert (robust(Cascade([long, QUICK])) <= robust(long)).all()
    assert expected.sum() < robust(QUICK).sum()


def test_an_example_costs_no_more_than_the_attack_that_breaks_it() -> None:
    outcomes = evaluate(NET, batches(PICTURES, LABELS), Cascade([QUICK, LONG]))
    steps = outcomes.steps[KEY]
    assert set(steps[outcomes.robust[KEY]]) == {14}
    first = outcomes.clean_correct & ~robust(QUICK)
    assert steps[first].max() <= 2
    assert steps[outcomes.clean_correct & ~outcomes.robust[KEY] & ~first].min() >= 2


@pytest.mark.parametrize("batch_size", [1, 7, 80])
def test_no_batch_size_changes_a_verdict(batch_size: int) -> None:
    cascade = Cascade([QUICK, LONG])
    assert (robust(cascade, batch_size) == robust(cascade)).all()


def test_stages_draw_other_random_numbers() -> None:
    twice = evaluate(NET, batches(PICTURES, LABELS), Cascade([QUICK] * 8)).robust[KEY]
    assert twice.sum() < robust(QUICK).sum()


def test_another_radius_is_that_of_every_attack() -> None:
    cascade = Cascade([QUICK, PGD(eps=0.5)], eps=0.02)
    assert [stage.attack.threat.eps for stage in cascade.stages(4)] == [0.02, 0.02]
    assert [stage.attack.threat.eps for stage in cascade.at("1/255").stages(4)] == [1 / 255] * 2


def test_it_can_be_written_down() -> None:
    cascade = Cascade([QUICK, LONG])
    again = from_spec(json.loads(json.dumps(spec_of(cascade))))
    assert spec_of(again) == spec_of(cascade)
    assert (robust(again) == robust(cascade)).all()


def test_no_attacks_or_several_threats_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="has no attacks"):
        Cascade([])
    with pytest.raises(ConfigurationError, match=r"linf-1/255, linf-25\.5/255, expected one"):
        Cascade([PGD(), PGD(eps=0.1)])
