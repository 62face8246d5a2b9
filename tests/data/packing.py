"""Archives, well made and badly made."""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from robust_tuning.data.remote import RemoteFile

KINDS = ("tar", "tgz", "zip")


def packed(kind: str, files: Mapping[str, bytes]) -> bytes:
    """An archive of the kind; names that end with a slash become folders."""
    memory = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as zipped:
            for name, content in files.items():
                info = zipfile.ZipInfo("placeholder")
                info.compress_type = zipfile.ZIP_DEFLATED
                info.filename = info.orig_filename = name  # which the constructor would clean
                zipped.writestr(info, content)
    else:
        with tarfile.open(fileobj=memory, mode="w:gz" if kind == "tgz" else "w:") as tar:
            for name, content in files.items():
                entry = tarfile.TarInfo(name)
                if name.endswith("/"):
                    entry.type = tarfile.DIRTYPE
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return memory.getvalue()


def found(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def remote(
    name: str, content: bytes, address: str = "http://127.0.0.1:9", **more: object
) -> RemoteFile:
    """The description of a file with a content."""
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return RemoteFile(name, f"{address}/{name}", len(content), md5, **more)  # type: ignore[arg-type]  # checked by the class
