from pathlib import Path

import numpy as np
import torch

from robust_tuning.attacks import AdversarialExamples
from robust_tuning.callbacks.memory import Memory


def found(n: int) -> AdversarialExamples:
    generator = torch.Generator().manual_seed(n)
    pictures = torch.rand(n, 3, 4, 4, generator=generator)
    labels = np.arange(n) % 3
    return AdversarialExamples(
        np.arange(n)[::-1].copy() * 7, labels, pictures, labels == 1, np.full(n, 0.01)
    )


def test_each_split_has_its_own_memory_of_the_last_evaluation() -> None:
    memory = Memory()
    assert memory.recalled("test") == {}
    memory.remember("validation", {"linf-1/255": found(3)})
    memory.remember("validation", {"linf-1/255": found(5)})
    assert memory.recalled("test") == {}
    assert len(memory.recalled("validation")["linf-1/255"].indices) == 5


def test_a_checkpoint_gives_back_the_very_starting_points(tmp_path: Path) -> None:
    memory = Memory()
    memory.remember("validation", {"linf-1/255": found(5), "l2-0.5": found(4)})
    torch.save(memory.state_dict(), tmp_path / "state.pt")
    again = Memory()
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for threat, examples in memory.recalled("validation").items():
        wanted = torch.from_numpy(examples.indices[[2, 0]])
        restored = again.recalled("validation")[threat]
        assert torch.equal(restored.of(wanted), examples.of(wanted))
        assert (restored.labels == examples.labels).all()


def test_rounding_keeps_a_quarter_of_a_255th() -> None:
    memory = Memory()
    examples = found(6)
    memory.remember("test", {"linf-1/255": examples})
    kept = memory.recalled("test")["linf-1/255"].of(torch.from_numpy(examples.indices))
    assert (kept - examples.images).abs().max() < 0.25 / 255
