"""Plugins as data: `class_path` and `init_args`, as a configuration file writes them.

Every plugin keeps each argument of its `__init__` under the argument's own name; that is all it
takes to write one into a checkpoint and to build it again without unpickling anything.
"""

import inspect
from importlib import import_module
from typing import Any

from robust_tuning.errors import ConfigurationError

Spec = dict[str, Any]
_PLAIN = (str, int, float, bool, type(None))


def spec_of(plugin: object) -> Spec:
    """Describe a plugin by plain values.

    Args:
        plugin: An object that keeps its init arguments under their names; arguments may be plain
            values, lists and dicts of them, or plugins themselves.

    Returns:
        `{"class_path": ..., "init_args": {...}}`, fit for JSON.

    Raises:
        ConfigurationError: If an argument was not kept, or is no plain value.
    """
    cls = type(plugin)
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    names = [parameter.name for parameter in parameters if parameter.kind not in variadic]
    missing = [name for name in names if not hasattr(plugin, name)]
    if missing:
        message = (
            f"{cls.__name__} does not keep its argument {missing[0]!r}: a plugin must store every "
            f"init argument under its own name (self.{missing[0]} = {missing[0]})"
        )
        raise ConfigurationError(message)
    arguments = {name: _plain(getattr(plugin, name), cls.__name__, name) for name in names}
    return {"class_path": f"{cls.__module__}.{cls.__qualname__}", "init_args": arguments}


def from_spec(spec: Spec) -> Any:  # noqa: ANN401  whatever the class path names
    """Build the plugin that `spec_of` described.

    Raises:
        ConfigurationError: If the class cannot be imported or refuses the arguments.
    """
    module, _, name = str(spec["class_path"]).rpartition(".")
    try:
        cls = getattr(import_module(module), name)
        return cls(**{key: _revive(value) for key, value in spec["init_args"].items()})
    except ConfigurationError:
        raise
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        message = f"{spec['class_path']} cannot be built again: {error}"
        raise ConfigurationError(message) from error


def _plain(value: Any, owner: str, name: str) -> Any:  # noqa: ANN401  any plain value
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item, owner, name) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item, owner, name) for key, item in value.items()}
    # Neither a function nor what keeps no attributes (a path, an array) can be built again.
    if type(value).__module__ == "builtins" or not hasattr(value, "__dict__"):
        message = f"{owner}.{name} is a {type(value).__name__}, which cannot be written down"
        raise ConfigurationError(message)
    return spec_of(value)


def _revive(value: Any) -> Any:  # noqa: ANN401  any plain value
    if isinstance(value, dict) and set(value) == {"class_path", "init_args"}:
        return from_spec(value)
    if isinstance(value, dict):
        return {key: _revive(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_revive(item) for item in value]
    return value
