"""Memory for states and for the visited set: large, zeroed, in huge pages where the system has them, never copied."""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

_NORESERVE = {"linux": 0x4000, "darwin": 0x40}.get(sys.platform, 0)
_PRIVATE_ANONYMOUS = getattr(mmap, "MAP_PRIVATE", 0) | getattr(mmap, "MAP_ANONYMOUS", 0)


class Memory:
    """Zeroed bytes at a fixed address; what is never written to costs nothing.

    file: where the bytes lie on disk, if they do: the system writes them there when it needs the memory, and what the
    file holds already is kept.
    address: of the first byte; size: in bytes.
    """

    def __init__(self, size: int, file: Path | None = None) -> None:
        self.size, self.file = size, file
        self._map = _reserve(size) if file is None else _map_file(file, size)
        if file is None and hasattr(mmap, "MADV_HUGEPAGE") and size >= 1 << 21:
            self._map.madvise(mmap.MADV_HUGEPAGE)
        self._pin = ctypes.c_char.from_buffer(self._map)
        self.address = ctypes.addressof(self._pin)

    def copy(self, start: int, stop: int) -> bytes:
        """A copy of the bytes from `start` to `stop`."""
        return self._map[start:stop]

    def flush(self, start: int, stop: int) -> None:
        """Has the bytes from `start` to `stop` written to the file."""
        start -= start % mmap.PAGESIZE
        self._map.flush(start, stop - start)

    def let_go(self) -> None:
        """Lets the system take the memory of a file's bytes back; they are read again when they are needed."""
        if self.file is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)

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
        if self.file is not None and length is not None:
            os.truncate(self.file, length)


def _reserve(size: int) -> mmap.mmap:
    """Address space of this size; memory comes when it is first written to."""
    if sys.platform == "win32":
        return mmap.mmap(-1, size)
    return mmap.mmap(-1, size, flags=_PRIVATE_ANONYMOUS | _NORESERVE)


def _map_file(file: Path, size: int) -> mmap.mmap:
    with open(file, "r+b" if file.exists() else "w+b") as opened:
        opened.truncate(size)
        return mmap.mmap(opened.fileno(), size)


def address_of(array: np.ndarray[Any, Any]) -> int:
    """Where an array's items start."""
    return int(array.ctypes.data)
