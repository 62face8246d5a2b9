import ast
import subprocess
import sys
from pathlib import Path

import robust_tuning.frontier

HEAVY = {"torch", "lightning", "matplotlib", "scipy", "pandas", "jsonargparse", "wandb"}
ROOM = Path(robust_tuning.frontier.__file__).parent


def test_neither_the_room_nor_its_command_loads_anything_heavy() -> None:
    code = (
        "import sys, robust_tuning.frontier, robust_tuning.cli.frontier;"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"numpy", "robust_tuning"} <= loaded
    assert loaded & HEAVY == set()


def test_the_room_imports_no_other_room_but_errors() -> None:
    rooms = set()
    for path in ROOM.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0
                names = [node.module or ""]
            rooms |= {name.split(".")[1] for name in names if name.startswith("robust_tuning.")}
    assert rooms == {"errors", "frontier"}


def test_every_public_name_exists() -> None:
    for name in robust_tuning.frontier.__all__:
        assert getattr(robust_tuning.frontier, name).__module__.startswith(
            "robust_tuning.frontier."
        )
