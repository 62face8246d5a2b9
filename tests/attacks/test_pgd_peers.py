"""PGD beside torchattacks' and foolbox's, from the same starting points."""

from typing import Literal

import pytest
import torch
from torch import Tensor

from robust_tuning.attacks import PGD, AttackState, evaluate
from robust_tuning.attacks.base import Targets
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.types import Norm
from tests.attacks.toys import batches
from tests.oracles.pgd_peers import SETTINGS, Golden, golden

CASES = [(peer, norm) for peer in ("torchattacks", "foolbox") for norm in SETTINGS]
pytestmark = pytest.mark.parametrize(("peer", "norm"), CASES)


def attack(norm: Norm, select: Literal["any", "last"], *, random_start: bool = True) -> PGD:
    given = SETTINGS[norm]
    return PGD(
        eps=given.eps,
        norm=norm,
        steps=given.steps,
        step_size=given.step_size,
        select=select,
        random_start=random_start,
    )


def carried_out(pgd: PGD, theirs: Golden) -> AttackState:
    """Where our attack ends, begun where the other library has begun."""
    oracle, keys = Oracle(theirs.net), torch.arange(len(theirs.labels))
    logits = oracle.logits(theirs.images)
    state = pgd.start(Targets(theirs.images, theirs.labels, logits, keys, theirs.starts))
    broken = torch.zeros_like(theirs.broken)
    for _ in range(pgd.steps + 1):
        state = pgd.step(oracle, state)
        broken |= state.broken
    state.broken = broken
    return state


def final_logits(theirs: Golden) -> Tensor:
    with torch.no_grad():
        logits: Tensor = theirs.net(theirs.final)
    return logits


def test_the_last_iterate_and_its_verdict_are_theirs(peer: str, norm: Norm) -> None:
    theirs = golden(peer, norm)
    ours = carried_out(attack(norm, "last"), theirs)
    assert torch.allclose(ours.adversarial, theirs.final, rtol=0, atol=1e-8)
    assert torch.equal(ours.broken, theirs.broken)
    assert 4 < theirs.broken.sum() < 20
    moved = (theirs.final - theirs.starts).abs().flatten(1).amax(1)
    assert (moved > 1e-3).all()


def test_counting_any_iterate_breaks_all_of_theirs_and_more(peer: str, norm: Norm) -> None:
    theirs = golden(peer, norm)
    ours = carried_out(attack(norm, "any"), theirs)
    assert (ours.broken >= theirs.broken).all()
    if norm == "linf":
        assert ours.broken.sum() > theirs.broken.sum()


def test_evaluations_reach_their_verdicts(peer: str, norm: Norm) -> None:
    theirs = golden(peer, norm)
    pgd = attack(norm, "last", random_start=False)
    outcomes = evaluate(theirs.net, batches(theirs.images, theirs.labels), pgd, batch_size=5)
    assert outcomes.clean_correct.all()
    (robust,) = outcomes.robust.values()
    assert torch.equal(torch.from_numpy(~robust), theirs.broken_from_images)
    assert 4 < theirs.broken_from_images.sum() < 20


def test_the_file_holds_the_verdicts_of_its_own_images(peer: str, norm: Norm) -> None:
    theirs = golden(peer, norm)
    assert torch.equal(final_logits(theirs).argmax(1) != theirs.labels, theirs.broken)
    order = torch.inf if norm == "linf" else 2
    offsets = (theirs.final - theirs.images).flatten(1).norm(dim=1, p=order)
    assert (offsets <= SETTINGS[norm].eps + 1e-9).all()
