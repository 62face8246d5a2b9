"""Maps of labels that are written by hand, in YAML."""

from pathlib import Path

import yaml  # type: ignore[import-untyped]  # has no annotations

from robust_tuning.errors import ConfigurationError

_TEXT, _NULL = "tag:yaml.org,2002:str", "tag:yaml.org,2002:null"
_FORM = "expected lines such as 'hound: dog', or 'monkey: null' to leave images out"


def read_label_file(file: str) -> dict[str, str | None]:
    """Read which class of a benchmark each class of a set is.

    Nothing is built from the file but its words: a key of it that YAML takes for something else,
    such as `no` or `007`, is an error and not another word.

    Args:
        file: A YAML file with one mapping, from names to names or `null`.

    Raises:
        ConfigurationError: If it cannot be read or is not of this form; says in which line.
    """
    path = Path(file).expanduser()
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        message = f"the label map {file} cannot be read ({error.strerror}); {_FORM}"
        raise ConfigurationError(message) from error
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        message = f"the label map {file} is no YAML file: {' '.join(str(error).split())}; {_FORM}"
        raise ConfigurationError(message) from error
    if not isinstance(root, yaml.MappingNode):
        message = f"the label map {file} is no mapping; {_FORM}"
        raise ConfigurationError(message)
    found: dict[str, str | None] = {}
    for key, value in root.value:
        for node, tags in ((key, (_TEXT,)), (value, (_TEXT, _NULL))):
            if node.tag not in tags:
                raise _refusal(file, node)
        if key.value in found:
            message = f"{_line(file, key)}: {key.value!r} occurs twice; leave one of them"
            raise ConfigurationError(message)
        found[key.value] = None if value.tag == _NULL else value.value
    return found


def _refusal(file: str, node: yaml.Node) -> ConfigurationError:
    """A word that is none, or something that is not even one."""
    if not isinstance(node, yaml.ScalarNode):
        message = f"{_line(file, node)}: a {node.id}, where a name was expected; {_FORM}"
    else:
        kind = node.tag.rpartition(":")[2]
        message = (
            f"{_line(file, node)}: {node.value[:80]!r} is a {kind} to YAML, expected a name; write "
            f'it in quotes: "{node.value[:80]}"'
        )
    return ConfigurationError(message)


def _line(file: str, node: yaml.Node) -> str:
    return f"the label map {file}, line {node.start_mark.line + 1}"
