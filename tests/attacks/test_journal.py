from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robust_tuning.attacks import FMN, PGD, Adversary, Outcomes, evaluate
from robust_tuning.attacks.adversary import Choice, Stage, Survivors
from robust_tuning.attacks.journal import Journal, Verdicts
from robust_tuning.attacks.threat import ThreatModel
from robust_tuning.errors import RobustTuningError
from tests.attacks.toys import batches, conv_net, images, labelled

NET = conv_net(5)
PICTURES = images(26)
LABELS = labelled(NET, PICTURES)


class Gated(Adversary):
    """Another stage for every second survivor, and for one of the others."""

    def __init__(self, eps: float) -> None:
        self.threat = ThreatModel("linf", eps)
        self.eps = eps
        self.seed = 0

    def stages(self, num_classes: int) -> tuple[Stage, ...]:
        attack = PGD(eps=self.eps, steps=4)
        return Stage(attack), Stage(attack, self._choose), Stage(attack)

    def _choose(self, survivors: Survivors) -> Choice:
        places = np.argsort(np.argsort(survivors.margin))
        return Choice(places % 2 == 0, places == 1)


ATTACKS: dict[str, Any] = {
    "one": [PGD(eps=0.01, steps=6)],
    "several radii": [PGD(eps=eps, steps=6) for eps in (0.005, 0.01)],
    "stages and gates": [Gated(eps) for eps in (0.005, 0.012)],
    "distances": [FMN(eps=eps, steps=12) for eps in (0.005, 0.01)],
}


class Interrupted(nn.Module):
    """Stops everything at one of its passes."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.net = conv_net(5)
        self.left = at

    def forward(self, pictures: Tensor) -> Tensor:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt
        logits: Tensor = self.net(pictures)
        return logits


def run(attacks: Any, model: nn.Module = NET, **settings: Any) -> Outcomes:
    feed = batches(PICTURES, LABELS, 10)
    return evaluate(model, feed, attacks, batch_size=8, **settings)


def require_same(one: Outcomes, other: Outcomes) -> None:
    for key in one.robust:
        assert (one.robust[key] == other.robust[key]).all()
        assert (one.steps[key] == other.steps[key]).all()
    assert one.diagnostics == other.diagnostics
    assert one.audits == other.audits
    assert all((one.distance[key] == other.distance[key]).all() for key in one.distance)


@pytest.mark.parametrize("attacks", ATTACKS.values(), ids=ATTACKS)
@pytest.mark.parametrize("inherit", [False, True])
def test_wherever_it_is_interrupted_it_ends_as_if_it_were_not(
    attacks: Any, inherit: bool, tmp_path: Path
) -> None:
    expected = run(attacks, inherit=inherit, audit=5)
    passes = []
    for at in (2, 7, 15, 22):
        path = tmp_path / f"{at}.jsonl"
        with pytest.raises(KeyboardInterrupt):
            run(attacks, Interrupted(at), inherit=inherit, audit=5, journal=Journal(path))
        journal = Journal(path)
        outcomes = run(attacks, inherit=inherit, audit=5, journal=journal)
        require_same(expected, outcomes)
        passes.append(outcomes.backward - journal.earlier.backward)
        assert outcomes.forward > journal.earlier.forward
    # The later it was interrupted, the less is left to do.
    assert passes == sorted(passes, reverse=True)
    assert passes[-1] < expected.backward


def test_a_finished_journal_leaves_the_clean_passes_and_checks(tmp_path: Path) -> None:
    attack = ATTACKS["one"]
    first = run(attack, sanity=False, journal=Journal(tmp_path / "journal"))
    journal = Journal(tmp_path / "journal")
    again = run(attack, sanity=False, journal=journal)
    require_same(first, again)
    assert again.backward == first.backward == journal.earlier.backward
    assert again.seconds > first.seconds
    journal.remove()
    assert not (tmp_path / "journal").exists()


def test_a_torn_line_is_cut_off_and_what_is_before_counts(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with pytest.raises(KeyboardInterrupt):
        run(ATTACKS["one"], Interrupted(12), journal=Journal(path))
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"cost": [1, 2')
    journal = Journal(path)
    assert path.read_bytes() == whole
    require_same(run(ATTACKS["one"]), run(ATTACKS["one"], journal=journal))


def test_where_images_are_kept_every_attack_is_carried_out(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    expected = run(ATTACKS["one"], keep="float32", journal=Journal(path))
    again = run(ATTACKS["one"], keep="float32", journal=Journal(path))
    (key,) = expected.adversarial
    assert torch.equal(expected.adversarial[key].images, again.adversarial[key].images)


def test_verdicts_come_back_as_they_were(tmp_path: Path) -> None:
    verdicts = Verdicts(
        np.array([True, False]),
        np.array([3, 4]),
        np.array([0.1, np.float32(1 / 3)]),
        np.array([False, True]),
        np.array([False, False]),
        np.array([np.inf, 0.2]),
    )
    with (journal := Journal(tmp_path / "journal")).open_until_done(type(journal.earlier)):
        journal.enter("linf-0.1", 2, np.array([70, 30]), verdicts)
    again = Journal(tmp_path / "journal")
    indices = np.array([30, 50, 70])
    assert again.known("linf-0.1", 2, indices).tolist() == [True, False, True]
    assert not again.known("linf-0.1", 1, indices).any()
    assert not again.known("l2-0.1", 2, indices).any()
    recalled = again.recall("linf-0.1", 2, indices[[2, 0]])
    for name, values in vars(verdicts).items():
        assert getattr(recalled, name).tolist() == values.tolist()


@pytest.mark.parametrize(
    "content", ["no json\n", '{"cost": [1, 2, 3]}\n', '{"verdicts": 4}\n', "3\n"]
)
def test_what_is_no_journal_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "journal").write_text(content)
    with pytest.raises(RobustTuningError, match="delete it to begin anew"):
        Journal(tmp_path / "journal")


def test_a_journal_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "taken" / "journal")
    (tmp_path / "taken").write_text("")
    with pytest.raises(RobustTuningError, match="cannot write the verdicts reached so far to"):
        run(ATTACKS["one"], journal=journal)
    with pytest.raises(RobustTuningError, match="cannot read the verdicts reached so far in"):
        Journal(tmp_path / "taken" / "journal")
