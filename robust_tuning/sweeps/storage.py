"""Where a sweep's state lies: a journal file of Optuna's, or a database."""

import fcntl
import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robust_tuning.errors import ConfigurationError, RunError
from robust_tuning.sweeps.patience import PatientStorage

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


def open_storage(place: str, patience: float = 600.0, *, tells: bool = True) -> PatientStorage:
    """Open a storage; a file that does not exist is made.

    Args:
        place: URL of a database such as `postgresql+psycopg://USER@HOST/NAME`, or path of a
            journal.
        patience: Seconds for which it may be out of reach later on.
        tells: Whether it is printed when it is.

    Raises:
        ConfigurationError: If Optuna, or the driver of the database, is not installed.
        RunError: If the storage cannot be reached.
    """
    optuna = import_optuna()
    shown = re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", place)  # without a password
    try:
        if "://" in place:
            return PatientStorage(_database(place), shown, patience, tells=tells)
        path = Path(place).expanduser()
        path.parent.mkdir(parents=True, exist_ok=True)
        backend = optuna.storages.journal.JournalFileBackend(str(path), lock_obj=_TailLock(path))
        journal = optuna.storages.JournalStorage(backend)
        return PatientStorage(journal, shown, patience, tells=tells)
    except ImportError as error:
        message = (
            f"--storage {shown}: the driver is not installed ({error.__cause__ or error}); for "
            "postgresql+psycopg://... pip install 'psycopg[binary]'"
        )
        raise ConfigurationError(message) from error
    except Exception as error:  # of whichever driver, or a folder that cannot be written
        message = (
            f"--storage {shown} cannot be opened ({' '.join(str(error).split())[:300]}); expected "
            "the path of a journal file or the URL of a database that is up"
        )
        raise RunError(message) from error


def import_optuna() -> Any:  # noqa: ANN401  a module
    """Optuna, silent.

    Raises:
        ConfigurationError: If it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        message = "sweep needs Optuna: pip install 'robust-tuning[sweeps]'"
        raise ConfigurationError(message) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna


def _database(url: str) -> "BaseStorage":
    from optuna.storages import RDBStorage, get_storage
    from sqlalchemy import NullPool, event

    if not url.startswith("sqlite"):
        # A connection for each change alone: many workers need few at a time, and none is left
        # over from before a restart of the server.
        return get_storage(RDBStorage(url, engine_kwargs={"poolclass": NullPool}))
    storage = RDBStorage(url, engine_kwargs={"connect_args": {"timeout": 60}})

    # SQLite has no SELECT ... FOR UPDATE: two processes would claim the same run. So whoever reads
    # in order to write locks first.
    @event.listens_for(storage.engine, "connect")
    def _by_hand(connection: Any, _: object) -> None:  # noqa: ANN401  a connection of sqlite3
        connection.isolation_level = None

    @event.listens_for(storage.engine, "begin")
    def _lock(connection: Any) -> None:  # noqa: ANN401  a connection of SQLAlchemy
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    storage.engine.dispose()  # connections from before
    return get_storage(storage)


class _TailLock:
    """Lets one process write to a journal; unlike Optuna's own it ends with that process.

    Whoever takes it cuts off what a writer that was killed has left after the last end of line:
    the next line would be joined to it, and nobody could read the journal again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def acquire(self) -> bool:
        """Wait for it."""
        self._descriptor = os.open(self._path, os.O_RDWR)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        size = os.fstat(self._descriptor).st_size
        if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
            content = self._path.read_bytes()
            os.truncate(self._descriptor, content.rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        """Give it up."""
        os.close(self._descriptor)
