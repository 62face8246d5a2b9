from typing import Any

import pytest

from robust_tuning.attacks import APGD, FAB, AutoAttack, Square, evaluate
from robust_tuning.errors import ConfigurationError
from tests.attacks.toys import batches, conv_net, images, labelled

NET = conv_net(4).float()
PICTURES = images(40).float()
LABELS = labelled(NET, PICTURES)
EPS = 0.012


def run(adversary: AutoAttack) -> Any:
    return evaluate(NET, batches(PICTURES, LABELS, 40), adversary, batch_size=40)


def test_the_stages_are_the_official_ones() -> None:
    attacks = [stage.attack for stage in AutoAttack().stages(1000)]
    assert [type(attack) for attack in attacks] == [APGD] * 10 + [FAB] * 9 + [Square]
    assert [a.loss for a in attacks[:10]] == ["ce"] + ["dlr_targeted"] * 9  # type: ignore[attr-defined]  # of APGD
    assert [a.target for a in attacks[1:19]] == [*range(1, 10)] * 2  # type: ignore[attr-defined]  # of both
    assert {a.steps for a in attacks[:19]} == {100}  # type: ignore[attr-defined]  # of both
    assert attacks[19].queries == 5000  # type: ignore[attr-defined]  # of Square
    assert len(AutoAttack().stages(4)) == 1 + 3 + 3 + 1


@pytest.mark.slow
def test_the_robust_set_is_that_of_the_official_code_at_fewer_passes() -> None:
    ours, official = run(AutoAttack(eps=EPS)), run(AutoAttack(eps=EPS, reference=True))
    key = AutoAttack(eps=EPS).threat.key
    assert 5 < official.robust[key].sum() < official.clean_correct.sum() - 5
    # The random starts differ: one example may fall to one of them alone.
    assert (ours.robust[key] != official.robust[key]).sum() <= 1
    assert ours.forward + ours.backward < official.forward + official.backward


def test_few_classes_and_other_versions_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"at least 4 classes .* has 2: use a Cascade"):
        AutoAttack().stages(2)
    with pytest.raises(ConfigurationError, match="version is 'fast', expected 'standard'"):
        AutoAttack(version="fast")
