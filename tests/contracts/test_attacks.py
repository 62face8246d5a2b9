"""The laws of `Attack`, on every concrete subclass that the package holds."""

import copy
import importlib
import inspect
import json
import pickle
import pkgutil

import pytest
import torch
from torch import Tensor, nn

import robust_tuning.attacks
from robust_tuning.attacks import Attack, evaluate
from robust_tuning.attacks.base import AttackState, Targets
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.plugins import from_spec, spec_of
from tests.attacks.toys import batches, conv_net, images, labelled


def attacks() -> list[type[Attack]]:
    package = robust_tuning.attacks
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    found, queue = [], [Attack]
    while queue:
        for child in queue.pop().__subclasses__():
            queue.append(child)
            if not inspect.isabstract(child) and child.__module__.startswith(package.__name__):
                found.append(child)
    return sorted(found, key=lambda kind: kind.__name__)


# Settings under which the laws must hold, where the defaults are not enough or take too long.
VARIANTS: dict[str, list[dict[str, object]]] = {
    "APGD": [
        {"eot": 2, "steps": 30},
        {"loss": "dlr"},
        {"loss": "dlr_targeted", "target": 2},
        {"loss": "margin", "norm": "l2"},
        {"norm": "l1"},
        {"norm": "l1", "wide": True, "steps": 20},
    ],
    "FAB": [
        {},
        {"norm": "l2"},
        {"target": 2, "norm": "l1"},
        {"steps": 20, "rivals": 3, "restarts": 3},
    ],
    "FGSM": [{}, {"norm": "l1"}],
    "FMN": [{"steps": 30}, {"steps": 30, "norm": "l2"}, {"steps": 30, "norm": "l1"}],
    "PGD": [{}, {"norm": "l1"}],
    "RandomNoise": [{}, {"norm": "l1"}],
    "Square": [{"queries": 100, "norm": norm} for norm in ("linf", "l2", "l1")],
}


# Foreign code, whose random numbers belong to the batch.
LAWLESS = {"OfficialAutoAttack"}


def variants() -> list[tuple[type[Attack], dict[str, object]]]:
    return [
        (kind, more)
        for kind in attacks()
        if kind.__name__ not in LAWLESS
        for more in VARIANTS.get(kind.__name__, [{}])
    ]


RADIUS = {"linf": 0.03, "l2": 0.03, "l1": 0.5}
ORDER = {"linf": float("inf"), "l2": 2, "l1": 1}
NET = conv_net()
PICTURES = images(24)
LABELS = labelled(NET, PICTURES, wrong_every=10**6)
LOGITS = NET(PICTURES).detach()


@pytest.fixture(
    params=variants(), ids=lambda it: "-".join([it[0].__name__, *map(str, it[1].values())])
)
def attack(request: pytest.FixtureRequest) -> Attack:
    kind, more = request.param
    made: Attack = kind(**more)
    return with_radius(made, RADIUS[made.threat.norm])


def with_radius(attack: Attack, eps: float, **changes: int) -> Attack:
    """The same attack with another radius, by what it writes down of itself."""
    spec = spec_of(attack)
    made: Attack = from_spec({**spec, "init_args": {**spec["init_args"], "eps": eps, **changes}})
    return made


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.passes = 0

    def forward(self, pictures: Tensor) -> Tensor:
        self.passes += 1
        logits: Tensor = NET(pictures)
        return logits


def trajectory(attack: Attack, rows: list[int], model: nn.Module = NET) -> list[AttackState]:
    """Every state until all rows are decided."""
    oracle = Oracle(model)
    keys = torch.tensor([attack.example_key(row) for row in rows])
    states = [attack.start(Targets(PICTURES[rows], LABELS[rows], LOGITS[rows], keys))]
    while not (states[-1].broken | states[-1].spent).all():
        states.append(attack.step(oracle, states[-1]))
        assert len(states) < 10_000, "the budget must end"
    return states


def test_there_is_something_to_test() -> None:
    assert attacks()


def test_iterates_are_valid_images_in_the_ball(attack: Attack) -> None:
    order = ORDER[attack.threat.norm]
    for state in trajectory(attack, list(range(24))):
        offsets = (state.adversarial - PICTURES).flatten(1).norm(dim=1, p=order)
        assert offsets.max() <= attack.threat.eps + 1e-6
        assert state.adversarial.min() >= 0
        assert state.adversarial.max() <= 1


def test_what_is_called_broken_is_misclassified_and_the_rest_not_broken_is_spent(
    attack: Attack,
) -> None:
    final = trajectory(attack, list(range(24)))[-1]
    answers = NET(final.adversarial[final.broken]).argmax(1)
    assert (answers != LABELS[final.broken]).all()
    assert final.broken.any()
    assert (final.broken | final.spent).all()


def test_a_step_takes_as_many_passes_whatever_the_rows(attack: Attack) -> None:
    def passes(rows: list[int]) -> list[int]:
        model = Counting()
        oracle = Oracle(model)
        keys = torch.tensor([attack.example_key(row) for row in rows])
        state = attack.start(Targets(PICTURES[rows], LABELS[rows], LOGITS[rows], keys))
        assert model.passes == 0
        counts = []
        for _ in range(3):
            before = model.passes
            state = attack.step(oracle, state)
            counts.append(model.passes - before)
        assert oracle.forward == model.passes * len(rows)
        return counts

    assert passes([0]) == passes([0, 1, 2])


class Sure(nn.Module):
    """Never in doubt of class 0, with gradients all the same."""

    def forward(self, pictures: Tensor) -> Tensor:
        logits: Tensor = NET(pictures) + 1000 * torch.eye(4, dtype=torch.float64)[0]
        return logits


def test_an_example_that_is_never_broken_costs_the_budget(attack: Attack) -> None:
    model, none = Sure(), torch.zeros(2, dtype=torch.int64)
    oracle = Oracle(model)
    keys = torch.tensor([attack.example_key(row) for row in (0, 1)])
    state = attack.start(Targets(PICTURES[:2], none, model(PICTURES[:2]), keys))
    while not (state.broken | state.spent).any():
        state = attack.step(oracle, state)
    assert (state.spent & ~state.broken).all()
    assert (oracle.forward, oracle.backward) == (
        2 * attack.budget.forward,
        2 * attack.budget.backward,
    )


def test_it_begins_where_it_is_told(attack: Attack) -> None:
    if not attack.takes_starts:
        return
    keys = torch.tensor([attack.example_key(row) for row in range(4)])
    starts = (PICTURES[:4] + 2 * attack.threat.eps).clamp(0, 1)
    state = attack.start(Targets(PICTURES[:4], LABELS[:4], LOGITS[:4], keys, starts))
    assert torch.equal(state.adversarial, attack.threat.project(starts, PICTURES[:4]))


def test_an_example_ends_the_same_alone_and_among_others(attack: Attack) -> None:
    together = trajectory(attack, list(range(12)))
    for row in (0, 5, 11):
        alone = trajectory(attack, [row])
        state = together[len(alone) - 1]
        assert bool(state.broken[row]) == bool(alone[-1].broken[0])
        assert torch.allclose(state.adversarial[row], alone[-1].adversarial[0], atol=1e-9)


def test_the_same_seed_gives_the_same_path(attack: Attack) -> None:
    torch.manual_seed(1)
    one = trajectory(attack, [3, 4])[-1]
    torch.manual_seed(2)
    other = trajectory(copy.deepcopy(attack), [3, 4])[-1]
    assert torch.equal(one.adversarial, other.adversarial)


def test_an_attack_holds_settings_alone(attack: Attack) -> None:
    before = copy.deepcopy(vars(attack))
    trajectory(attack, [0, 1])
    assert vars(attack) == before


def test_without_a_radius_robust_is_clean(attack: Attack) -> None:
    outcomes = evaluate(NET, batches(PICTURES, LABELS), with_radius(attack, 0))
    (robust,) = outcomes.robust.values()
    assert (robust == outcomes.clean_correct).all()


def test_an_attack_can_be_written_down_copied_and_pickled(attack: Attack) -> None:
    expected = trajectory(attack, [0, 1])[-1].adversarial
    copies = (
        from_spec(json.loads(json.dumps(spec_of(attack)))),
        copy.deepcopy(attack),
        pickle.loads(pickle.dumps(attack)),
    )
    for again in copies:
        assert spec_of(again) == spec_of(attack)
        assert again.threat == attack.threat
        assert torch.equal(trajectory(again, [0, 1])[-1].adversarial, expected)


def test_a_larger_radius_has_another_name_and_breaks_more(attack: Attack) -> None:
    small, large = (
        evaluate(NET, batches(PICTURES, LABELS), with_radius(attack, share * attack.threat.eps))
        for share in (0.1, 2)
    )
    assert list(small.robust) != list(large.robust)
    assert sum(v.sum() for v in large.robust.values()) < sum(v.sum() for v in small.robust.values())
