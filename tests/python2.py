"""Pickles as Python 2 wrote them: the format of the official CIFAR files."""

import pickle
from typing import Any

import numpy as np


def python2_pickle(value: Any) -> bytes:
    """Pickle dicts, lists, tuples, integers, strings and uint8 arrays by protocol 2.

    Every string becomes a Python 2 string, which `pickle.load` turns into `bytes` or `str`
    depending on its `encoding`; arrays name the modules of NumPy 1 and give their data type by
    integers for booleans. Pickles that Python 3 writes differ in all of this.
    """
    return pickle.PROTO + b"\x02" + _opcodes(value) + pickle.STOP


def _opcodes(value: Any) -> bytes:
    match value:
        case None:
            return pickle.NONE
        case int():
            return pickle.BININT + value.to_bytes(4, "little", signed=True)
        case str():
            return _opcodes(value.encode("ascii"))
        case bytes():
            return pickle.BINSTRING + len(value).to_bytes(4, "little") + value
        case tuple():
            return _tuple(*map(_opcodes, value))
        case list():
            items = b"".join(map(_opcodes, value))
            return pickle.EMPTY_LIST + pickle.MARK + items + pickle.APPENDS
        case dict():
            pairs = b"".join(_opcodes(key) + _opcodes(item) for key, item in value.items())
            return pickle.EMPTY_DICT + pickle.MARK + pairs + pickle.SETITEMS
        case np.ndarray() if value.dtype == np.uint8:
            return _array(value)
    message = f"cannot pickle {type(value).__name__}"
    raise TypeError(message)


def _array(value: "np.ndarray[Any, np.dtype[np.uint8]]") -> bytes:
    kind = _global("numpy", "dtype") + _opcodes(("u1", 0, 1)) + pickle.REDUCE
    kind += _opcodes((3, "|", None, None, None, -1, -1, 0)) + pickle.BUILD
    empty = _global("numpy.core.multiarray", "_reconstruct")
    empty += _tuple(_global("numpy", "ndarray"), _opcodes((0,)), _opcodes("b")) + pickle.REDUCE
    state = (_opcodes(1), _opcodes(value.shape), kind, pickle.NEWFALSE, _opcodes(value.tobytes()))
    return empty + _tuple(*state) + pickle.BUILD


def _tuple(*items: bytes) -> bytes:
    return pickle.MARK + b"".join(items) + pickle.TUPLE


def _global(module: str, name: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()
