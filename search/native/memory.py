"""Memory for states and for the visited set: large, zeroed, in huge pages where the system has them, never copied."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import sys
from pathlib import Path
from typing import IO, Any

import numpy as np

_NORESERVE = {"linux": 0x4000, "darwin": 0x40}.get(sys.platform, 0)
_PRIVATE_ANONYMOUS = getattr(mmap, "MAP_PRIVATE", 0) | getattr(mmap, "MAP_ANONYMOUS", 0)

_PIECE = 1 << 24


class Memory:
    """Zeroed bytes at a fixed address; what is never written to costs nothing.

    file: where the bytes lie on disk, if they do: the system writes them there when it needs the memory, and what the
    file holds already is kept.  Only what was secured may be written to: elsewhere a full disk would kill the process.
    address: of the first byte; size: in bytes, larger than asked for if the file is.

    Raises:
        MemoryError: there is not so much address space.
        OSError: the file cannot be made so large.
    """

    def __init__(self, size: int, file: Path | None = None) -> None:
        self.file = file
        self._secured = 0
        if file is None:
            self._map = _reserve(size)
        else:
            self._opened = open(file, "r+b" if file.exists() else "w+b")  # noqa: SIM115 - closed in `close`
            self._map = _map_file(self._opened, size)
        self.size = len(self._map)
        if file is None and hasattr(mmap, "MADV_HUGEPAGE") and size >= 1 << 21:
            self._map.madvise(mmap.MADV_HUGEPAGE)
        self._pin = ctypes.c_char.from_buffer(self._map)
        self.address = ctypes.addressof(self._pin)

    def copy(self, start: int, stop: int) -> bytes:
        """A copy of the bytes from `start` to `stop`."""
        return self._map[start:stop]

    def secure(self, stop: int) -> None:
        """Has the disk set room aside for the bytes before `stop`; those in memory need none.

        Raises:
            OSError: the disk is full.
        """
        while self.file is not None and self._secured < stop:
            length = min(_PIECE, stop - self._secured)
            _allocate(self._opened.fileno(), self._secured, length)
            self._secured += length

    def release(self, start: int) -> None:
        """Gives the disk's room back from the byte `start` on, and the bytes with it."""
        if self.file is not None:
            self._opened.truncate(start)
            self._opened.truncate(self.size)
            self._secured = min(self._secured, start)

    def flush(self, start: int, stop: int) -> None:
        """Has the bytes from `start` to `stop` written to the file."""
        start -= start % mmap.PAGESIZE
        self._map.flush(start, stop - start)

    def let_go(self, start: int = 0, stop: int | None = None) -> None:
        """Lets the system take the memory of a file's bytes back; they are read again when they are needed."""
        start -= start % mmap.PAGESIZE
        stop = self.size if stop is None else min(stop, self.size)
        if self.file is not None and start < stop and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED, start, stop - start)

    def give_back(self, start: int, stop: int) -> int:
        """Gives back the memory of the whole pages from `start` to `stop`, and their bytes with it unless they lie in a file;
        where that ended."""
        page = 1 << 21
        start, stop = -(-start // page) * page, stop // page * page
        if start < stop and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED, start, stop - start)
        return max(start, stop)

    def close(self, length: int | None = None) -> None:
        """Gives the memory back, and cuts the file to `length` bytes; the address is no longer valid."""
        del self._pin
        self._map.close()
        if self.file is not None:
            if length is not None:
                self._opened.truncate(length)
            self._opened.close()


def _reserve(size: int) -> mmap.mmap:
    """Address space of this size; memory comes when it is first written to."""
    try:
        if sys.platform == "win32":
            return mmap.mmap(-1, size)
        return mmap.mmap(-1, size, flags=_PRIVATE_ANONYMOUS | _NORESERVE)
    except OSError as error:
        raise MemoryError(f"{size} bytes of address space") from error


def _map_file(opened: IO[bytes], size: int) -> mmap.mmap:
    """The file, made as large as that; never smaller than it is, which would destroy what it holds."""
    try:
        opened.truncate(max(size, os.fstat(opened.fileno()).st_size))
        return mmap.mmap(opened.fileno(), 0)
    except BaseException:
        opened.close()
        raise


def _allocate(handle: int, start: int, length: int) -> None:
    """Sets room aside on the disk, and changes no byte.

    Raises:
        OSError: there is none.
    """
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(handle, start, length)
            return
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise
    os.pwrite(handle, os.pread(handle, length, start).ljust(length, b"\0"), start)


def address_of(array: np.ndarray[Any, Any]) -> int:
    """Where an array's items start."""
    return int(array.ctypes.data)
