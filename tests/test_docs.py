"""What docs/attacks.md shows works, and the passes that it counts are those of the attacks."""

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch.utils.data import DataLoader, TensorDataset

import robust_tuning.attacks
from robust_tuning.attacks import Adversary, Attack
from tests.attacks.toys import conv_net, images, labelled
from tests.contracts import test_attacks as contract

PAGE = Path(__file__).parent.parent / "docs" / "attacks.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
COUNTS = re.findall(r"^\| `(\w+)`(?: `(\w+)`)? \|[^|]*\| (\d+) \+ (\d+)", PAGE.read_text(), re.M)
LAWS = {
    name: law
    for name, law in vars(contract).items()
    if name.startswith("test_") and list(inspect.signature(law).parameters) == ["attack"]
}


@pytest.fixture(scope="module")
def scope(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """All names after the blocks have run in turn, as the cells of a notebook do.

    A block that begins with the name of a file is that file.
    """
    net = conv_net(5).float()
    pictures = images(14).float()
    loader = DataLoader(TensorDataset(pictures, labelled(net, pictures)), batch_size=8)
    names: dict[str, Any] = {"model": net, "loader": loader}
    folder = tmp_path_factory.mktemp("docs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        for number, block in enumerate(BLOCKS):
            file = re.match(r"# (\w+\.py)\n", block)
            if file:
                (folder / file[1]).write_text(block)
            else:
                exec(compile(block, f"{PAGE.name}, block {number}", "exec"), names)
        yield {**names, "folder": folder}


def accuracies(outcomes: Any) -> list[float]:
    return [float(robust.mean()) for robust in outcomes.robust.values()]


@pytest.mark.parametrize(
    "name", ["outcomes", "official", "nearest", "after", "fast", "again", "worst"]
)
def test_an_evaluation_says_how_many_survive(scope: dict[str, Any], name: str) -> None:
    (robust,) = accuracies(scope[name])
    assert 0 < robust < scope[name].clean_correct.mean()


def test_robust_accuracies_fall_with_the_radius(scope: dict[str, Any]) -> None:
    for values in (accuracies(scope["upwards"]), accuracies(scope["downwards"]), scope["curve"]):
        assert (np.diff(values) <= 0).all()
        assert values[-1] < values[0]
    assert set(scope["downwards"].audits) == {"linf-1/255", "linf-2/255", "linf-4/255"}


def test_images_are_saved_and_the_journal_is_gone(scope: dict[str, Any]) -> None:
    kept = np.load(scope["folder"] / "adversarial.npz")
    assert kept["images"].dtype == np.uint8
    assert kept["broken"].any()
    assert not (scope["folder"] / "verdicts.jsonl").exists()


def test_the_metric_says_what_an_evaluation_says(scope: dict[str, Any]) -> None:
    values = scope["metric"].compute()
    assert float(values["linf-4/255"]) == pytest.approx(scope["again"].robust["linf-4/255"].mean())


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_the_attack_of_ones_own_obeys_the_laws(
    scope: dict[str, Any], law: Callable[[Attack], None]
) -> None:
    law(importlib.import_module("my_attacks").Shrinking(eps=0.03))


def test_its_own_test_asks_for_the_same_laws(scope: dict[str, Any]) -> None:
    asked = vars(importlib.import_module("test_my_attacks"))
    assert all(asked[name] is law for name, law in LAWS.items())
    assert "attack" in asked


@pytest.mark.parametrize(("name", "version", "forward", "backward"), COUNTS)
def test_passes_are_those_of_the_budgets(
    name: str, version: str, forward: str, backward: str
) -> None:
    kind: type[Adversary] = getattr(robust_tuning.attacks, name)
    adversary = kind(**({"version": version} if version else {}))
    for_all = takewhile(lambda stage: stage.gate is None, adversary.stages(10))
    budgets = [stage.attack.budget for stage in for_all]
    assert sum(budget.forward for budget in budgets) == int(forward)
    assert sum(budget.backward for budget in budgets) == int(backward)


def test_there_is_something_to_test() -> None:
    assert len(BLOCKS) == 13
    assert len(COUNTS) == 11
    assert len(LAWS) >= 10


@pytest.mark.parametrize("path", re.findall(r"\]\(([\w./-]+)\)", PAGE.read_text()))
def test_links_lead_somewhere(path: str) -> None:
    assert (PAGE.parent / path).exists()
