"""The rooms of the package, and the one direction in which they may know of each other."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import robust_tuning

PACKAGE = Path(robust_tuning.__file__).parent
TESTS = Path(__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))

# From the bottom up; a room knows only of what stands below it.
STOREYS = [
    {"types", "errors"},
    {
        "backbones",
        "isolation",
        "lr_schedules",
        "metrics",
        "plugins",
        "processes",
        "randomness",
        "storage",
    },
    {"strategies", "objectives", "attacks", "shifts", "data"},
    {"tuner"},
    {"trajectory"},
    {"callbacks", "loggers", "sweeps"},
    {"cli"},
    {"__main__"},
]
HEIGHT = {room: height for height, storey in enumerate(STOREYS) for room in storey}
# Between siblings, and only to the file named.
SIBLINGS = {
    ("objectives", "attacks.base"),
    ("shifts", "data.base"),
    ("shifts", "data.external"),
}
# The frontier knows of nothing but errors; whoever records or shows points may know of it.
FRONTIER_KNOWS = {"errors"}
KNOW_FRONTIER = {"trajectory", "callbacks", "loggers", "sweeps", "cli"}

# Modules that declare and do nothing: what a test could say is what they say themselves.
DECLARATIONS = {
    "types.py": "names of types",
    "errors.py": "classes without a body",
    "frontier/verdict.py": "data classes",
    "shifts/base.py": "an abstract class and a data class",
    "objectives/base.py": "an abstract class and a named tuple",
    "data/cifar10.py": "facts, which the tests of cifar.py read",
    "data/cifar100.py": "the same",
    "callbacks/measurement.py": "a data class whose two sums the recorder's tests check",
}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path: Path) -> Iterator[str]:
    """Modules of this package that a file imports anywhere, without the package's name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            if name.startswith("robust_tuning."):
                yield name.removeprefix("robust_tuning.")


def allowed(source: str, target: str) -> bool:
    room = target.split(".")[0]
    if room == source:
        return True
    if source == "frontier":
        return room in FRONTIER_KNOWS
    if room == "frontier":
        return source in KNOW_FRONTIER
    return HEIGHT[room] < HEIGHT[source] or (source, target) in SIBLINGS


@pytest.mark.parametrize(
    "path",
    [path for path in SOURCES if path != PACKAGE / "__init__.py"],
    ids=lambda path: path.relative_to(PACKAGE).as_posix(),
)
def test_imports_go_one_way(path: Path) -> None:
    source = room_of(path)
    wrong = [target for target in imported(path) if not allowed(source, target)]
    assert not wrong, f"{source} must not know of {', '.join(wrong)}"


def test_every_room_has_its_storey() -> None:
    rooms = {room_of(path) for path in SOURCES} - {"__init__"}
    assert rooms <= set(HEIGHT) | {"frontier"}


@pytest.mark.parametrize(
    ("source", "target", "answer"),
    [
        ("cli", "tuner", True),
        ("tuner", "cli.main", False),
        ("attacks", "strategies.base", False),
        ("objectives", "attacks.base", True),
        ("objectives", "attacks.engine", False),
        ("frontier", "types", False),
        ("attacks", "frontier.point", False),
        ("backbones", "errors", True),
    ],
)
def test_the_rule_is_the_designs(source: str, target: str, answer: bool) -> None:
    assert allowed(source, target) is answer


def loaded_by(code: str) -> set[str]:
    program = f"import sys\n{code}\nprint(*{{n.partition('.')[0] for n in sys.modules}}, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


HEAVY = {"torch", "lightning", "timm", "peft", "wandb", "matplotlib", "jsonargparse", "sklearn"}
HEAVY |= {"optuna", "sqlalchemy"}


@pytest.mark.parametrize(
    "code",
    [
        "import robust_tuning; dir(robust_tuning); robust_tuning.__version__",
        "from robust_tuning.cli.main import main; assert main(['--help']) == 0",
        "from robust_tuning.cli.main import main; assert main(['--version']) == 0",
        "from robust_tuning.cli.main import main; assert main(['nonsense']) == 2",
        "import robust_tuning.frontier",
        "from robust_tuning.cli.main import main; assert main(['sweep', '--help']) == 0",
        "import robust_tuning.sweeps.worker",
    ],
)
def test_the_front_door_loads_nothing_heavy(code: str) -> None:
    found = loaded_by(code)
    assert "robust_tuning" in found
    assert not found & HEAVY


def test_every_public_name_can_be_had() -> None:
    for name in robust_tuning.__all__:
        assert getattr(robust_tuning, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        _ = robust_tuning.Nonsense
    assert set(robust_tuning.__all__) <= set(dir(robust_tuning))


@pytest.mark.parametrize(
    "path",
    [*SOURCES, *sorted(TESTS.rglob("*.py"))],
    ids=lambda path: path.relative_to(TESTS.parent).as_posix(),
)
def test_no_file_is_longer_than_400_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize(
    "path",
    [path for path in SOURCES if not path.name.startswith("__")],
    ids=lambda path: path.relative_to(PACKAGE).as_posix(),
)
def test_every_file_has_a_test_of_its_name(path: Path) -> None:
    inside = path.relative_to(PACKAGE)
    twin = TESTS / inside.parent / f"test_{inside.name}"
    if inside.as_posix() in DECLARATIONS:
        assert not twin.exists(), f"{inside} is no longer a mere declaration"
    else:
        assert twin.is_file(), f"{twin.relative_to(TESTS.parent)} is missing"
