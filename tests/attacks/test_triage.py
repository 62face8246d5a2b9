from typing import Any

import numpy as np
import pytest

from robust_tuning.attacks import APGD, Cascade, Triage, evaluate
from robust_tuning.attacks.adversary import Survivors
from robust_tuning.errors import ConfigurationError
from tests.attacks.toys import batches, conv_net, images, labelled

NET = conv_net(5)
PICTURES = images(120)
LABELS = labelled(NET, PICTURES)
EPS = 0.012


def run(adversary: Any, **settings: Any) -> Any:
    return evaluate(NET, batches(PICTURES, LABELS, 40), adversary, batch_size=40, **settings)


def survivors(n: int) -> Survivors:
    rng = np.random.default_rng(0)
    return Survivors(np.arange(n) * 3, np.full(n, 2.0), rng.permutation(n) / n)


def chosen(triage: Triage, given: Survivors) -> Any:
    (gate,) = [stage.gate for stage in triage.stages(10) if stage.gate is not None]
    return gate(given)


def test_the_verdict_is_that_of_long_attacks_on_all_within_what_the_audit_says() -> None:
    triage = Triage(eps=EPS)
    found = run(triage)
    everything = [stage.attack for stage in triage.stages(5)]
    expected = run(Cascade(everything))
    key = triage.threat.key
    audit = found.audits[key]
    overstated = int((found.robust[key] & ~expected.robust[key]).sum())
    assert 0 <= overstated <= 1 <= audit.overstated_at_most()
    assert (expected.robust[key] <= found.robust[key]).all()
    assert found.backward < 0.5 * expected.backward
    assert 20 < found.robust[key].sum() < found.clean_correct.sum() - 20


def test_those_nearest_to_falling_are_attacked_and_the_rest_is_sampled() -> None:
    given = survivors(200)
    choice = chosen(Triage(eps=EPS, borderline=0.1, audit=0.2), given)
    assert choice.attacked.sum() == 20
    assert given.margin[choice.attacked].max() < given.margin[~choice.attacked].min()
    assert choice.audited.sum() == 36
    assert not (choice.audited & choice.attacked).any()


def test_the_lead_counts_relative_to_the_clean_one() -> None:
    given = Survivors(np.arange(4), np.array([1.0, 10, 1, 1]), np.array([0.5, 0.6, 0.7, 0.8]))
    choice = chosen(Triage(eps=EPS, borderline=0.25, audit=0), given)
    assert choice.attacked.tolist() == [False, True, False, False]


def test_a_small_rest_is_audited_by_ten_unless_by_none() -> None:
    assert chosen(Triage(eps=EPS), survivors(50)).audited.sum() == 10
    assert chosen(Triage(eps=EPS), survivors(8)).audited.sum() == 7
    assert chosen(Triage(eps=EPS, audit=0), survivors(50)).audited.sum() == 0


def test_the_choice_does_not_depend_on_the_order() -> None:
    given = survivors(60)
    order = np.random.default_rng(1).permutation(60)
    shuffled = Survivors(given.indices[order], given.clean_margin[order], given.margin[order])
    one, other = chosen(Triage(eps=EPS), given), chosen(Triage(eps=EPS), shuffled)
    assert (one.attacked[order] == other.attacked).all()
    assert (one.audited[order] == other.audited).all()


def test_the_bound_covers_those_not_looked_at() -> None:
    found = run(Triage(eps=EPS))
    (audit,) = found.audits.values()
    (robust,) = found.robust.values()
    assert audit.left_alone <= robust.sum() + audit.broken
    assert audit.sampled == 10
    assert audit.overstated_at_most() <= audit.left_alone - audit.sampled


def test_everything_is_attacked_where_everything_is_borderline() -> None:
    found = run(Triage(eps=EPS, borderline=1.0, restarts=1))
    (audit,) = found.audits.values()
    assert (audit.left_alone, audit.sampled, audit.overstated_at_most()) == (0, 0, 0)


def test_restarts_draw_other_starts() -> None:
    attacks = [stage.attack for stage in Triage(eps=EPS, restarts=3).stages(10)]
    long = [attack for attack in attacks if isinstance(attack, APGD) and attack.steps == 100]
    assert len(long) == 3 + 9
    stages = [number for number, attack in enumerate(attacks) if attack in long[:3]]
    assert len({attacks[n].example_key(7, n) for n in stages}) == 3


def test_few_classes_and_shares_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"at least 4 classes .* has 3: use a Cascade"):
        Triage().stages(3)
    for settings in ({"borderline": 0.0}, {"borderline": 1.5}, {"audit": -0.1}, {"restarts": 0}):
        with pytest.raises(ConfigurationError, match=f"{next(iter(settings))} is"):
            Triage(**settings)  # type: ignore[arg-type]  # numbers


@pytest.mark.parametrize(("norm", "eps"), [("l2", 0.05), ("l1", 0.3)])
def test_in_other_norms_it_stays_near_long_attacks_on_all(norm: Any, eps: float) -> None:
    triage = Triage(eps=eps, norm=norm, restarts=1, audit=0.1)
    found = run(triage)
    expected = run(Cascade([stage.attack for stage in triage.stages(5)]))
    key = triage.threat.key
    assert 0 < expected.robust[key].sum() < expected.clean_correct.sum()
    overstated = int((found.robust[key] & ~expected.robust[key]).sum())
    assert 0 <= overstated <= found.audits[key].overstated_at_most()
    assert found.backward < 0.7 * expected.backward


def test_targets_are_no_more_than_there_are_classes() -> None:
    ranks = [s.attack.target for s in Triage().stages(5) if s.attack.loss == "dlr_targeted"]  # type: ignore[attr-defined]  # of APGD
    assert ranks == [1, 2, 3, 1, 2, 3, 4]


def test_two_shortcuts_are_audited_each_and_bounded_together() -> None:
    radii = [Triage(eps=eps, restarts=1) for eps in (0.005, 0.012)]
    small, large = (attack.threat.key for attack in radii)
    outcomes = run(radii, inherit=True, audit=7)
    (gate,) = outcomes.audits[large].strata
    inherited, own = outcomes.audits[small].strata
    assert inherited.left_alone == outcomes.robust[large].sum() > inherited.sampled == 7
    survivors = outcomes.robust[small] & ~outcomes.robust[large]
    assert 0 < own.left_alone < survivors.sum() + own.broken
    audit = outcomes.audits[small]
    expected = inherited.overstated_at_most(0.975) + own.overstated_at_most(0.975)
    assert audit.overstated_at_most() == expected
    assert gate.left_alone > inherited.left_alone / 2


def test_those_audited_because_they_inherit_pass_every_gate() -> None:
    radii = [Triage(eps=eps, restarts=1) for eps in (0.005, 0.012)]
    small, large = (attack.threat.key for attack in radii)
    outcomes = run(radii, inherit=True, audit=7)
    again = outcomes.robust[large] & (outcomes.steps[small] > 0)
    assert again.sum() == 7
    # Survivors have taken every step: the cheap ones, and 100 of each long attack on five classes.
    assert set(outcomes.steps[small][again]) == {15 + 3 * 10 + 100 + 4 * 100}
