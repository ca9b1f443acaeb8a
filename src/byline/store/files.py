"""The only place of this room that touches the disk: whole files or none, synced, with their digests."""

import fcntl
import hashlib
import math
import mmap
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from byline.core import StoreError

PART = ".part"


class PartFile:
    """A file that appears under its name only when it is whole and on disk. The folder must be synced after it."""

    def __init__(self, path: Path) -> None:
        self._path, self._part = path, path.with_name(path.name + PART)
        self._hash = hashlib.sha256()
        self._file = open(self._part, "wb")

    def write(self, data: bytes | npt.NDArray[Any]) -> None:
        view = memoryview(data) if isinstance(data, bytes) else bytes_of(data)
        self._file.write(view)
        self._hash.update(view)

    def commit(self) -> str:
        """SHA-256 (hex) of what was written, once it stands under its name."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self._part, self._path)
        return self._hash.hexdigest()

    def discard(self) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)


def write_file(path: Path, data: bytes | npt.NDArray[Any]) -> None:
    """Replace `path` by `data`, durably."""
    part = PartFile(path)
    part.write(data)
    part.commit()
    sync_folder(path.parent)


def bytes_of(array: npt.NDArray[Any]) -> memoryview:
    """The little-endian bytes of `array`, row-major; a view where they are so already."""
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return little.reshape(-1).view(np.uint8).data


def sync_folder(path: Path) -> None:
    """Make the renames inside the folder survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def lock_folder(path: Path) -> int:
    """Take the folder for writing; the handle frees it when closed, or when the process dies.

    Raises: StoreError("locked").
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as fault:
        os.close(handle)
        fix = "wait for the other writer to close, or give each training its own folder"
        raise StoreError("locked", f"{path}: another writer has this run open", fix) from fault
    return handle


def check_size(path: Path, size: int, fix: str) -> None:
    """Raises: StoreError("missing-file", "wrong-size")."""
    got = _size(path, fix)
    if got != size:
        kind = f"{got - size} trailing bytes" if got > size else f"{size - got} bytes are missing"
        raise StoreError("wrong-size", f"{path}: {got} bytes, the manifest says {size}: {kind}", fix)


def read_checked(path: Path, sha256: str, fix: str) -> bytes:
    """All bytes of a small file. Raises: StoreError("missing-file", "wrong-digest")."""
    _size(path, fix)
    data = path.read_bytes()
    _check_digest(path, data, sha256, fix)
    return data


def map_checked(path: Path, shape: tuple[int, ...], dtype: str, sha256: str, fix: str) -> npt.NDArray[Any]:
    """The file as a read-only array in its place on disk, after its size and digest were checked.

    Raises: StoreError("missing-file", "wrong-size", "wrong-digest").
    """
    kind = np.dtype(dtype).newbyteorder("<")
    size = math.prod(shape) * kind.itemsize
    check_size(path, size, fix)
    if size == 0:
        return np.empty(shape, dtype=kind)
    with open(path, "rb") as file:
        data = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
    _check_digest(path, data, sha256, fix)
    return np.frombuffer(data, dtype=kind).reshape(shape)


def _size(path: Path, fix: str) -> int:
    try:
        found = os.lstat(path)
    except OSError as fault:
        raise StoreError("missing-file", f"{path}: {fault.strerror}", fix) from fault
    if not stat.S_ISREG(found.st_mode):
        raise StoreError("missing-file", f"{path}: is not a regular file", fix)
    return found.st_size


def _check_digest(path: Path, data: bytes | mmap.mmap, sha256: str, fix: str) -> None:
    got = hashlib.sha256(data).hexdigest()
    if got != sha256:
        raise StoreError("wrong-digest", f"{path}: digest {got[:12]}, the manifest says {sha256[:12]}", fix)
