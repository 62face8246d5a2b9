"""Whose run folder it is: a lock that ends with the processes that hold it, however they end."""

import fcntl
import os
from pathlib import Path
from typing import Self

_NAME = ".lock"


class RunLock:
    """The right to write into a run folder.

    The operating system gives it up when the last process that holds it is gone. A training process
    inherits it, so that nobody begins in a folder where an orphan still writes.

    Args:
        descriptor: Of the locked file.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def acquire(cls, folder: Path) -> Self | None:
        """Take the lock of a folder, which is made if it is missing; None where it is taken."""
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / _NAME, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return cls(descriptor)

    def sign(self, owner: str) -> None:
        """Write down for what the folder is held."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, owner.encode(), 0)

    def release(self) -> None:
        """Give it up; a process that has inherited it still holds it."""
        os.close(self.descriptor)


def is_abandoned(folder: Path, owner: str) -> bool:
    """Whether whoever signed as that owner is gone, with all that inherited the lock.

    Args:
        folder: The run folder.
        owner: What a holder has signed.

    Returns:
        False also where nobody has signed so, which says nothing.
    """
    try:
        descriptor = os.open(folder / _NAME, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        # Shared, so that two who look do not take each other for the owner.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return os.read(descriptor, 1000).decode(errors="replace") == owner
    finally:
        os.close(descriptor)
