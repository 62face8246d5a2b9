"""What is wrong with a command line is said in one line: the key, and what would be right."""

import sys
from pathlib import Path

import pytest

from tests.cli.conftest import QUICK, Command

PGD = ("--adversarial.attack", "PGD")
CASES: list[tuple[tuple[str, ...], list[str]]] = [
    (("--model.foo", "3"), ["model.foo", "model.lr"]),
    (("--foo", "1"), ["foo"]),
    (("--trainer.max_epoch", "3"), ["trainer.max_epoch", "trainer.max_epochs"]),
    (("--model.lr", "abc"), ["model.lr", "abc", "float"]),
    (("--model.strategy", "LoRAA"), ["model.strategy", "LoRAA", "did you mean LoRA?", "BitFit"]),
    (("--model.strategy", "my_package.Mine"), ["model.strategy", "my_package.Mine"]),
    (("--model.strategy.rnk", "3"), ["model.strategy", "rnk", "did you mean", "rank"]),
    (("--model.strategy", "LoRA", "--model.strategy.rank", "x"), ["model.strategy.rank", "int"]),
    (("--model.strategy.rank", "-1"), ["rank is -1"]),
    (
        ("--model.strategy", "Compacter", "--model.strategy.reduction_factor", "7"),
        ["reduction_factor"],
    ),
    (("--model.backbone.name", "vit_bas"), ["vit_bas", "vit_base"]),
    (
        ("--model.backbone.name", "resnet18", "--model.backbone.pretrained", "false"),
        ["LoRA", "ResNet", "BitFit"],
    ),
    (("--model.optimizer", "Adamm"), ["model.optimizer", "Adamm", "did you mean Adam"]),
    (("--model.lr_scheduler", "Cosin"), ["model.lr_scheduler", "Cosin", "CosineDecay"]),
    (("--model.objective", "CrossEntrop"), ["model.objective", "did you mean CrossEntropy?"]),
    (("--data", "Cifer"), ["data", "Cifer", "Digits", "ImageFolder"]),
    (("--data", "Cifar"), ["data", "Cifar", "not a whole class", "CIFAR100", "ImageFolder"]),
    (("--data.batch_size", "0"), ["batch_size is 0", "at least 1"]),
    (("--data.root", "/x"), ["root", "data"]),
    (("--adversarial.attack", "PGG"), ["adversarial.attack", "PGG", "did you mean PGD?"]),
    ((*PGD, "--adversarial.attack.steps", "0"), ["steps is 0"]),
    ((*PGD, "--adversarial.attack.stepz", "9"), ["stepz", "steps"]),
    (("--adversarial.eps", "[4]"), ["4/255"]),
    (("--adversarial.eps", "[a/b]"), ["a/b"]),
    (("--adversarial.eps", "[]"), ["adversarial.eps is empty"]),
    (("--adversarial.n", "0"), ["n is 0"]),
    (("--adversarial.split", "tets"), ["adversarial.split", "tets", "test"]),
    (("--adversarial.schedule.preset", "papper"), ["schedule.preset", "papper", "paper-code"]),
    (("--adversarial.schedule.steps", "[0]"), ["schedule.steps", "positive"]),
    (("--recorder.keep", "sometimes"), ["recorder.keep", "sometimes", "frontier"]),
    (("--wandb.mode", "onlin"), ["wandb.mode", "onlin", "offline"]),
    (("--trainer.max_epochs", "x"), ["trainer.max_epochs", "x", "int"]),
    (("--ckpt_path", "none.ckpt"), ["none.ckpt", "last", "best"]),
    (("--ckpt_path", "best"), ["best.ckpt"]),
    (("--model.seed", "3"), ["seed"]),
    (("--data.seed", "3"), ["data.seed is 3", "seed_everything"]),
    (("--model.num_classes", "3"), ["num_classes"]),
]


@pytest.mark.parametrize(("words", "said"), CASES, ids=[" ".join(words) for words, _ in CASES])
def test_one_line_names_the_key_and_the_alternatives(
    command: Command, words: tuple[str, ...], said: list[str]
) -> None:
    answer = command(*QUICK, *words)
    assert answer.status == 2, answer
    assert answer.err.startswith("robust-tuning: ")
    assert answer.err.count("\n") == 1, answer.err
    assert len(answer.err) < 700, answer.err
    missing = [text for text in said if text not in answer.err]
    assert not missing, answer.err
    assert not list(Path().glob("runs/*"))


# These are found once the weights are loaded or the training begins.
LATE: list[tuple[tuple[str, ...], int, list[str]]] = [
    (("--model.backbone.pretrained", "/none.pth"), 1, ["/none.pth", ".safetensors"]),
    (("--adversarial.n", "100000"), 1, ["100000", "validation", "300"]),
    (("--data.train_limit", "5000"), 2, ["train_limit is 5000", "1197"]),
    (("--model.optimizer", "AdamW", "--model.optimizer.lr", "0.3"), 2, ["model.lr", "0.3"]),
    (
        ("--model.lr_scheduler", "CosineDecay", "--model.lr_scheduler.warmup_steps", "-4"),
        2,
        ["warmup_steps is -4"],
    ),
]


@pytest.mark.parametrize(("words", "status", "said"), LATE, ids=[" ".join(c[0]) for c in LATE])
def test_what_only_training_can_find_is_one_line_too(
    command: Command, words: tuple[str, ...], status: int, said: list[str]
) -> None:
    answer = command(*QUICK, *words)
    assert answer.status == status, answer
    assert answer.err.count("\n") == 1, answer.err
    assert not [text for text in said if text not in answer.err], answer.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model: [1,2\n", ["bad.yaml"]),
        ("model:\n  stratgy: LoRA\n", ["stratgy", "strategy"]),
        ("modle:\n  lr: 0.1\n", ["modle", "model"]),
        ("model:\n  lr: x\n", ["model.lr", "x", "float"]),
        ("just words\n", ["bad.yaml"]),
        ("\x00", ["bad.yaml"]),
    ],
    ids=["syntax", "key", "section", "type", "no mapping", "binary"],
)
def test_a_bad_file_is_one_line(command: Command, text: str, said: list[str]) -> None:
    Path("bad.yaml").write_text(text)
    answer = command(*QUICK, "--config", "bad.yaml")
    assert answer.status == 2
    assert answer.err.count("\n") == 1, answer.err
    assert not [word for word in said if word not in answer.err], answer.err


def test_no_configuration_says_where_to_begin(command: Command) -> None:
    answer = command("fit")
    assert answer.status == 2
    assert answer.err.count("\n") == 1
    assert "model.strategy" in answer.err
    assert "--config configs/quickstart.yaml" in answer.err


def test_an_option_without_a_value(command: Command) -> None:
    answer = command(*QUICK, "--model.lr")
    assert answer.status == 2
    assert answer.err.count("\n") == 1
    assert "model.lr" in answer.err


PLUGINS = """
from robust_tuning.strategies import BitFit
class Picky(BitFit):
    '''A strategy that knows what it wants.'''
    def __init__(self, size: int = 3) -> None:
        if size > 2:
            raise ValueError(f"size is {size}, expected at most 2")
        self.size = size
class Buggy(BitFit):
    def __init__(self) -> None:
        self.none.attribute
"""


def test_an_error_of_somebody_elses_plugin_is_its_own_line(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("somebody.py").write_text(PLUGINS)
    monkeypatch.syspath_prepend(Path.cwd())
    try:
        answer = command(*QUICK, "--model.strategy", "somebody.Picky")
        assert answer.status == 2
        assert answer.err.endswith("size is 3, expected at most 2\n")
        assert answer.err.count("\n") == 1
        answer = command(*QUICK, "--model.strategy", "somebody.Picky", "--model.strategy.size", "2")
        assert answer.status == 0, answer.err
        assert Path("runs/digits-picky-seed0").is_dir()
        with pytest.raises(ValueError, match="no attribute 'none'") as bug:  # no wrong usage
            command(*QUICK, "--model.strategy", "somebody.Buggy")
        assert isinstance(bug.value.__cause__, AttributeError)
    finally:
        sys.modules.pop("somebody", None)
