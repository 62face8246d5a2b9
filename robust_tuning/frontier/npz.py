"""Reading uncompressed `.npz` files of a few small arrays, many times as fast as `numpy.load`.

For thousands of outcomes nearly all of `numpy.load`'s time goes into `zipfile`'s bookkeeping and
into parsing the same few array headers as Python source. The layout read here is what `numpy.savez`
writes: APPNOTE.TXT of PKWARE, sections 4.3.7, 4.3.12 and 4.3.16, without compression, comments or
sizes beyond 4 GiB; and arrays of version 1.0 in C order.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from io import BytesIO
from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Of the end of the directory: signature, entries, offset of the directory.
_END = Struct("<4s6xH4xI2x")
# Of its entries: signature, method, CRC, size, lengths of name, extra and comment, offset.
_ENTRY = Struct("<4s6xH4xI4xI3H8xI")
# Of what stands before each file: signature, lengths of name and extra.
_LOCAL = Struct("<4s22xHH")


class StoredArrays(Mapping[str, NDArray[Any]]):
    """The arrays of a file by name; each is read, and its checksum compared, when it is asked for.

    Args:
        content: The bytes of the file.

    Raises:
        ValueError: They are not of such a file.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        try:
            self._entries = dict(_entries(content))
        except struct.error as error:
            message = "cut off"
            raise ValueError(message) from error

    def __getitem__(self, name: str) -> NDArray[Any]:
        """One array, read-only.

        Raises:
            KeyError: No array of this name.
            ValueError: It is damaged.
        """
        checksum, size, offset = self._entries[name]
        try:
            signature, of_name, of_extra = _LOCAL.unpack_from(self._content, offset)
        except struct.error as error:
            message = f"{name} is cut off"
            raise ValueError(message) from error
        start = offset + _LOCAL.size + of_name + of_extra
        data = memoryview(self._content)[start : start + size]
        if signature != b"PK\3\4" or len(data) != size or zlib.crc32(data) != checksum:
            message = f"the checksum of {name} is wrong"
            raise ValueError(message)
        begin = 10 + int.from_bytes(data[8:10], "little")
        shape, dtype = _parse_header(bytes(data[:begin]))
        return np.frombuffer(data, dtype, offset=begin).reshape(shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def _entries(content: bytes) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """By name of an array its checksum, size and place."""
    signature, count, place = _END.unpack_from(content, max(0, len(content) - _END.size))
    if signature != b"PK\5\6":
        message = "it does not end as an archive does"
        raise ValueError(message)
    for _ in range(count):
        signature, method, checksum, size, of_name, *others, offset = _ENTRY.unpack_from(
            content, place
        )
        if signature != b"PK\1\2" or method != 0:
            message = "its directory is wrong, or it is compressed"
            raise ValueError(message)
        end = place + _ENTRY.size + of_name
        name = content[place + _ENTRY.size : end].decode()
        yield name.removesuffix(".npy"), (checksum, size, offset)
        place = end + sum(others)


@lru_cache(maxsize=256)
def _parse_header(header: bytes) -> tuple[tuple[int, ...], np.dtype[Any]]:
    file = BytesIO(header)
    if np.lib.format.read_magic(file) != (1, 0):
        message = "an array of another version than 1.0"
        raise ValueError(message)
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if fortran or dtype.hasobject:
        message = f"an array of {dtype} that is not plain numbers in C order"
        raise ValueError(message)
    return shape, dtype
