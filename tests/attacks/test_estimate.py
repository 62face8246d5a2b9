from typing import Any

import pytest

from robust_tuning.attacks import APGD, FMN, PGD, Cascade, RandomNoise, Triage, evaluate
from robust_tuning.attacks.estimate import estimate
from tests.attacks.toys import batches, conv_net, images, labelled

NET = conv_net(5)
PICTURES = images(150)
LABELS = labelled(NET, PICTURES)

CASES: dict[str, tuple[Any, int | None]] = {
    "one attack": ([APGD(eps=0.01, steps=30)], None),
    "a cascade": ([Cascade([PGD(eps=0.01), RandomNoise(eps=0.01, samples=40)])], None),
    "triage": ([Triage(eps=0.01, restarts=2, borderline=0.3)], None),
    "radii upwards": ([APGD(eps=eps, steps=30) for eps in (0.004, 0.01, 0.02)], None),
    "radii downwards": ([APGD(eps=eps, steps=30) for eps in (0.004, 0.01, 0.02)], 10),
    "distances": ([FMN(eps=eps, steps=30) for eps in (0.004, 0.01)], None),
    "no radius": ([PGD(eps=0)], None),
}


@pytest.mark.parametrize(("attacks", "audit"), CASES.values(), ids=CASES)
def test_with_what_is_known_it_is_near_what_it_takes(attacks: Any, audit: int | None) -> None:
    outcomes = evaluate(
        NET,
        batches(PICTURES, LABELS),
        attacks,
        inherit=audit is not None,
        audit=audit or 0,
        sanity=False,
    )
    known = {key: float(found.mean()) for key, found in outcomes.robust.items()}
    accuracy = float(outcomes.clean_correct.mean())
    guess = estimate(attacks, 5, 150, accuracy, known, audit=audit)
    spent = outcomes.forward + outcomes.backward
    assert guess.forward + guess.backward == pytest.approx(spent, rel=0.35)
    assert guess.backward == pytest.approx(outcomes.backward, rel=0.35)


@pytest.mark.parametrize(("attacks", "audit"), CASES.values(), ids=CASES)
def test_without_knowledge_it_is_an_upper_bound(attacks: Any, audit: int | None) -> None:
    outcomes = evaluate(NET, batches(PICTURES, LABELS), attacks, sanity=False)
    if audit is None:
        guess = estimate(attacks, 5, 150, 1.0, {})
        assert guess.forward + guess.backward >= 0.99 * (outcomes.forward + outcomes.backward) - 100
