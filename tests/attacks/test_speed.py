from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn

from robust_tuning.attacks import PGD, Outcomes, Speed, evaluate
from robust_tuning.attacks.oracle import Approximation, Oracle
from robust_tuning.errors import ConfigurationError
from tests.attacks.toys import batches, conv_net, images, labelled

NET = conv_net().float()
PICTURES = images(80).float()
LABELS = labelled(NET, PICTURES)
ATTACK = PGD(eps=0.02, steps=10)
KEY = ATTACK.threat.key


class Watching(nn.Module):
    """Notes how it is asked; its twins note it in the same lists."""

    def __init__(self) -> None:
        super().__init__()
        self.net = conv_net().float()
        self.calls: list[tuple[str, bool, int]] = []

    def __deepcopy__(self, memo: dict[int, object]) -> "Watching":
        twin = Watching()
        twin.calls = self.calls
        twin.twin = True  # type: ignore[assignment]  # a mark
        return twin

    def forward(self, pictures: Tensor) -> Tensor:
        who = "twin" if getattr(self, "twin", False) else "model"
        logits: Tensor = self.net(pictures)
        self.calls.append((who, logits.dtype == torch.bfloat16, len(pictures)))
        return logits


def run(speed: Speed, model: nn.Module = NET, **settings: object) -> Outcomes:
    return evaluate(
        model,
        batches(PICTURES, LABELS, 20),
        ATTACK,
        batch_size=20,
        speed=speed,
        keep="float32",
        **settings,  # type: ignore[arg-type]  # of evaluate
    )


def test_on_a_cpu_nothing_is_approximated() -> None:
    assert Speed().approximation(NET, 20) is None


def test_low_precision_gives_gradients_and_the_model_gives_verdicts() -> None:
    model = Watching()
    outcomes = run(Speed(precision="bfloat16"), model)
    assert {(who, low) for who, low, _ in model.calls} == {("twin", True), ("model", False)}
    found = outcomes.adversarial[KEY]
    wrong = NET(found.images).argmax(1) != torch.from_numpy(found.labels)
    assert (wrong.numpy() == found.broken).all()
    assert (~found.broken).sum() == outcomes.robust[KEY].sum()
    plain = run(Speed())
    assert abs(int(outcomes.robust[KEY].sum()) - int(plain.robust[KEY].sum())) <= 1


def test_an_approximation_is_not_believed_where_it_is_in_doubt() -> None:
    asked = []

    def exact(pictures: Tensor) -> Tensor:
        asked.append(len(pictures))
        return NET(pictures)

    def rough(pictures: Tensor) -> Tensor:
        logits = NET(pictures)
        shift = 0.04 * logits.abs().amax(1, keepdim=True)
        return logits + shift * torch.tensor([1.0, -1.0, 1.0, -1.0])

    oracle = Oracle(exact, Approximation(rough, 0.1))
    answers = NET(PICTURES)
    seen = oracle.gradient(PICTURES, lambda logits: logits.sum(1), LABELS)
    assert oracle.forward == len(PICTURES) + sum(asked)
    assert 0 < sum(asked) < len(PICTURES)
    assert torch.equal(seen.logits.argmax(1) == LABELS, answers.argmax(1) == LABELS)
    assert not torch.equal(rough(PICTURES).argmax(1) == LABELS, answers.argmax(1) == LABELS)


def test_a_false_alarm_of_an_approximation_breaks_nobody() -> None:
    def pessimist(pictures: Tensor) -> Tensor:
        return -NET(pictures)

    oracle = Oracle(NET, Approximation(pessimist, 0.0))
    correct = NET(PICTURES).argmax(1) == LABELS
    seen = oracle.gradient(PICTURES, lambda logits: logits.sum(1), LABELS)
    assert ((seen.logits.argmax(1) == LABELS) == correct).all()


def test_where_the_last_iterate_counts_only_that_is_confirmed() -> None:
    attack = PGD(eps=0.05, steps=10, select="last")
    feed = batches(PICTURES, LABELS, 20)
    plain, low = (
        evaluate(NET, feed, attack, batch_size=20, sanity=False, speed=Speed(precision=precision))
        for precision in ("float32", "bfloat16")
    )
    correct = int(plain.clean_correct.sum())
    assert plain.backward == low.backward == 11 * correct
    # The judge of the last iterate, and once more whoever then seems robust.
    assert low.forward - plain.forward <= 2 * correct
    (one,), (other,) = plain.robust.values(), low.robust.values()
    assert abs(int(one.sum()) - int(other.sum())) <= 1


def test_what_an_approximation_overlooks_is_seen_at_the_end() -> None:
    class Blind(nn.Module):
        """Its twins never find anything wrong."""

        def __init__(self, sure: float = 0.0) -> None:
            super().__init__()
            self.net = conv_net().float()
            self.sure = sure

        def __deepcopy__(self, memo: dict[int, object]) -> "Blind":
            return Blind(1e4)

        def forward(self, pictures: Tensor) -> Tensor:
            logits: Tensor = self.net(pictures)
            return logits + self.sure * nn.functional.one_hot(logits.argmax(1), 4)

    feed = batches(PICTURES, LABELS, 20)
    outcomes = evaluate(
        Blind(), feed, PGD(eps=0.2, steps=3), speed=Speed(precision="bfloat16"), batch_size=20
    )
    (robust,) = outcomes.robust.values()
    assert robust.sum() < outcomes.clean_correct.sum()


def test_a_folded_copy_gives_the_gradients() -> None:
    model = Watching()
    inside = []

    @contextmanager
    def folded() -> Iterator[None]:
        inside.append(True)
        yield
        inside.append(False)

    outcomes = run(Speed(), model, folded=folded)
    assert inside == [True, False]
    assert {who for who, _, _ in model.calls} == {"twin", "model"}
    assert (outcomes.robust[KEY] == run(Speed()).robust[KEY]).all()


def test_channels_last_reaches_convolutions_and_changes_no_verdict() -> None:
    approximation = Speed(channels_last=True).approximation(NET, 20)
    assert approximation is not None
    assert torch.allclose(approximation.model(PICTURES), NET(PICTURES), atol=1e-5)
    assert (run(Speed(channels_last=True)).robust[KEY] == run(Speed()).robust[KEY]).all()
    flat = nn.Sequential(nn.Flatten(), nn.Linear(PICTURES[0].numel(), 4))
    assert Speed(channels_last=True).approximation(flat, 20) is None


@pytest.mark.slow
def test_a_compiled_model_sees_one_shape_and_changes_no_verdict() -> None:
    torch.compiler.reset()
    shapes = []

    def backend(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> object:
        shapes.extend(tuple(some.shape) for some in inputs if some.dim() == 4)
        return graph.forward

    original = torch.compile

    def compiled(model: nn.Module, **settings: object) -> object:
        return original(model, backend=backend, dynamic=False)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "compile", compiled)  # no compiler is needed for the graph's shape
        outcomes = run(Speed(compile=True))
    assert (outcomes.robust[KEY] == run(Speed()).robust[KEY]).all()
    assert {shape[0] for shape in shapes if shape[1:] == tuple(PICTURES.shape[1:])} <= {20}


@pytest.mark.parametrize("settings", [{"precision": "float16"}, {"channels_last": "yes"}])
def test_what_cannot_be_is_refused(settings: dict[str, str]) -> None:
    (name,) = settings
    with pytest.raises(ConfigurationError, match=f"{name} is"):
        Speed(**settings)  # type: ignore[arg-type]  # wrong on purpose
