"""Memory for states and for the visited set: large, zeroed, in huge pages where the system has them, never copied."""

from __future__ import annotations

import ctypes
import mmap
import sys

import numpy as np

_NORESERVE = {"linux": 0x4000, "darwin": 0x40}.get(sys.platform, 0)
_PRIVATE_ANONYMOUS = getattr(mmap, "MAP_PRIVATE", 0) | getattr(mmap, "MAP_ANONYMOUS", 0)


class Memory:
    """Zeroed bytes at a fixed address; what is never written to costs nothing.

    address: of the first byte; size: in bytes.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._map = _reserve(size)
        if hasattr(mmap, "MADV_HUGEPAGE") and size >= 1 << 21:
            self._map.madvise(mmap.MADV_HUGEPAGE)
        self._pin = ctypes.c_char.from_buffer(self._map)
        self.address = ctypes.addressof(self._pin)

    def view(self, start: int, stop: int) -> memoryview:
        """The bytes from `start` to `stop`; release it before `close`."""
        return memoryview(self._map)[start:stop]

    def copy(self, start: int, stop: int) -> bytes:
        """A copy of the bytes from `start` to `stop`."""
        return self._map[start:stop]

    def write(self, start: int, content: bytes) -> None:
        """Puts `content` at `start`."""
        self._map[start : start + len(content)] = content

    def close(self) -> None:
        """Gives the memory back; the address is no longer valid."""
        del self._pin
        self._map.close()


def _reserve(size: int) -> mmap.mmap:
    """Address space of this size; memory comes when it is first written to."""
    if sys.platform == "win32":
        return mmap.mmap(-1, size)
    return mmap.mmap(-1, size, flags=_PRIVATE_ANONYMOUS | _NORESERVE)


def address_of(array: np.ndarray) -> int:  # type: ignore[type-arg]
    """Where an array's items start."""
    return int(array.ctypes.data)
