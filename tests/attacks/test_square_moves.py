from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from pyautoattack.square import SquareAttack
from torch import Tensor, nn

from robust_tuning.attacks import Square
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.attacks.square_moves import Base, recolour, stripes, tiles, transport
from robust_tuning.attacks.threat import ThreatModel
from robust_tuning.randomness import signs, uniform
from robust_tuning.types import Norm
from tests.attacks.test_square import NORMS, begun, official
from tests.attacks.toys import images, labelled

KEYS = torch.arange(20)


@pytest.fixture
def _double(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The reference computes in the default type, but for its projection in float32."""
    monkeypatch.setattr(Tensor, "float", Tensor.double)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


class Fed(SquareAttack):  # type: ignore[misc]
    """The reference on one example, with our random numbers in place of its own."""

    def __init__(self, key: int, picture: Tensor, **settings: Any) -> None:
        super().__init__(**settings)
        self.picture = picture
        self.key, self.channels, self.draw = key, picture.shape[1], 0
        self.places: list[float] = []
        self.turns: list[float] = []
        self.signs: list[float] = []

    def check_shape(self, x: Tensor) -> Tensor:
        """Without the rounding that its l1 projection leaves on pixels that are to be originals.

        It would be taken for a perturbation, and brought to full length, in an empty window.
        """
        shaped: Tensor = super().check_shape(x)
        return torch.where((shaped - self.picture).abs() < 1e-12, self.picture, shaped)

    def feed(self, pictures: Tensor) -> None:
        """Lay out the numbers of the next query as our own attack takes them from its stream."""
        c, width = self.channels, pictures.shape[3]
        tiles = (width // (width // 5)) ** 2
        starts, changes = (c * width, 2 + c) if self.norm == "Linf" else (tiles * (1 + c), 5 + c)
        n = changes if self.draw else starts
        numbers = uniform(torch.tensor([self.key]), torch.tensor([self.draw]), n)[0]
        if self.draw:
            self.places = numbers[: changes - c - (self.norm != "Linf")].tolist()
            self.turns = [float(numbers[4])]
            self.signs = signs(numbers[-c:]).tolist()
        elif self.norm == "Linf":
            self.signs = signs(numbers).tolist()
        else:
            self.turns = numbers[:tiles].tolist()
            self.signs = signs(numbers[tiles:]).view(c, tiles).T.flatten().tolist()
        self.draw += 1

    def margin_and_loss(self, x: Tensor, y: Tensor) -> Any:
        answer = super().margin_and_loss(x, y)
        self.feed(x)
        return answer

    def random_int(self, low: int = 0, high: int = 1, shape: Any = (1,)) -> Tensor:
        return torch.tensor([low + int(self.places.pop(0) * (high - low + 1))])

    def random_choice(self, shape: Any) -> Tensor:
        return torch.tensor([self.signs.pop(0) for _ in range(int(np.prod(shape)))]).view(shape)

    def eta(self, s: int) -> Tensor:
        drawn: Tensor = super().eta(s)
        upright = drawn if drawn[0, -1] > 0 or s == 1 else drawn.T
        return upright.T if self.turns.pop(0) < 0.5 else upright


class Lifted(nn.Module):
    """A model that leads by much more, and notes what it is asked."""

    def __init__(self, net: nn.Module, label: Tensor, asked: list[Tensor]) -> None:
        super().__init__()
        self.net, self.label, self.asked = net, label, asked

    def forward(self, pictures: Tensor) -> Tensor:
        self.asked.append(pictures.clone())
        logits: Tensor = self.net(pictures)
        return logits + 100 * nn.functional.one_hot(self.label, logits.shape[1])


def small_net(size: int) -> nn.Sequential:
    """For images of any size."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.GELU(), nn.Flatten(), nn.Linear(8 * (size - 2) ** 2, 5)
        ).double()


@pytest.mark.usefixtures("_double")
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("size", [11, 17])
def test_with_the_same_random_numbers_the_queries_are_the_references(norm: Norm, size: int) -> None:
    net = small_net(size)
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(3, 3, size, size, generator=generator).double()
    labels = labelled(net, pictures, wrong_every=10**6)
    # So far that much is clipped; the lifted label holds nevertheless.
    attack = Square(eps=3.0 if norm == "l1" else 0.3, norm=norm, queries=80)
    for row in range(3):
        picture, label = pictures[row : row + 1], labels[row : row + 1]
        asked: list[Tensor] = []
        lifted = Lifted(net, label, asked)
        state = begun(lifted, picture, label, attack)
        asked.clear()
        theirs = Fed(int(state.keys[0]), picture, **official(attack, lifted))
        theirs.init_hyperparam(picture)
        theirs.feed(picture)
        theirs.attack_single_run(picture, label)
        assert len(asked) == 81
        accepted = 0
        for query, expected in enumerate(list(asked)):
            assert torch.allclose(state.adversarial, expected, atol=1e-9), query
            before = state.best
            state = attack.step(Oracle(lifted), state)
            accepted += not torch.equal(state.best, before)
        assert 5 < accepted < 75
        assert state.spent.all()


def base(draw: int, norm: Norm = "linf") -> Base:
    """Images so far from the bounds that nothing is clipped."""
    return Base(
        images(20, low=0.4, high=0.6), ThreatModel(norm, 0.1), KEYS, torch.full_like(KEYS, draw)
    )


def test_stripes_are_columns_at_the_radius() -> None:
    offsets = stripes(base(0)) - base(0).images
    assert torch.allclose(offsets.abs(), torch.full_like(offsets, 0.1))
    assert torch.allclose(offsets, offsets[:, :, :1])
    assert (offsets[..., 0] != offsets[..., 1]).any(1).any()
    assert (offsets[:, 0] != offsets[:, 1]).any()


def test_a_window_becomes_one_colour_and_the_rest_stays() -> None:
    before = stripes(base(0))
    after = recolour(base(1), before, (4, 2), torch.arange(20) % 2)
    offsets = after - base(1).images
    assert torch.allclose(offsets.abs(), torch.full_like(offsets, 0.1))
    changed = (after - before).abs() > 1e-9
    for row in range(20):
        side = (4, 2)[row % 2]
        for channel in changed[row]:
            places = channel.nonzero()
            if len(places):
                assert (places.amax(0) - places.amin(0) < side).all()
    assert changed.flatten(1).any(1).sum() > 15


def test_tiles_are_as_long_as_the_radius_and_differ_in_channels_and_examples() -> None:
    wide = Base(
        torch.full((20, 3, 10, 23), 0.5, dtype=torch.float64),
        ThreatModel("l2", 0.7),
        KEYS,
        KEYS * 0,
    )
    offsets = tiles(wide) - wide.images
    assert torch.allclose(offsets.flatten(1).norm(dim=1), torch.tensor(0.7).double())
    # Eleven tiles of two pixels fit across, a column is left over.
    assert (offsets[..., :22] != 0).all()
    assert (offsets[..., 22] == 0).all()
    assert not torch.allclose(offsets[0], offsets[1])
    assert not torch.allclose(offsets[0, 0], offsets[0, 1])
    tile = offsets[0, 0, :2, :2]
    assert float(tile.sum()) == pytest.approx(0, abs=1e-9)


def test_what_is_transported_keeps_to_the_radius_and_to_two_windows() -> None:
    before = tiles(base(0, "l2"))
    after = transport(base(1, "l2"), before, (3,), torch.zeros_like(KEYS))
    old, new = before - base(0).images, after - base(1).images
    assert torch.allclose(new.flatten(1).norm(dim=1), torch.tensor(0.1).double())
    for row in range(20):
        touched = ((new[row] - old[row]).abs() > 1e-9).any(0)
        emptied = (new[row] == 0).all(0)
        assert touched.sum() <= 18
        assert 0 <= emptied.sum() <= 9
        assert (emptied & ~touched).sum() == 0
    assert ((new == 0).all(1).flatten(1).sum(1) >= 3).any()
