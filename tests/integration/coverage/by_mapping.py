"""Bytes that come into a file by a shared mapping: the kernel tells nobody."""

import ctypes
import mmap
import os

from case import CLEAN, PAGE, Entrance, open_errno
from own_root import LIBC
from picket_world import eicar


class RawMapping:
    """mmap(2) without the copy of the descriptor that Python's own keeps."""

    def __init__(self, fd):
        LIBC.mmap.restype = ctypes.c_void_p
        self.address = LIBC.mmap(None, ctypes.c_size_t(PAGE), mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, fd, ctypes.c_long(0))
        if self.address in (None, ctypes.c_void_p(-1).value):
            raise OSError(ctypes.get_errno(), "mmap")

    def write(self, content):
        ctypes.memmove(self.address, content, len(content))

    def close(self):
        if self.address is not None:
            LIBC.munmap(ctypes.c_void_p(self.address), ctypes.c_size_t(PAGE))
            self.address = None


def map_and_close(case, before_close=None):
    target = os.open(case.path, os.O_RDWR)
    mapping = RawMapping(target)
    case.held.append(mapping)
    if before_close is not None:
        mapping.write(before_close)
    os.close(target)
    return mapping


def enter_map_written_then_closed(case):
    map_and_close(case, eicar())


def enter_map_closed_then_written(case):
    mapping = map_and_close(case)
    open_errno(case.path)  # the mapping's owner looks harmless: a clean verdict while it lives
    mapping.write(eicar())


def enter_map_unmapped(case):
    map_and_close(case, eicar()).close()


def enter_map_closed_written_unmapped(case):
    mapping = map_and_close(case)
    open_errno(case.path)
    mapping.write(eicar())
    mapping.close()


def enter_map_dirty_before_scan(case):
    mapping = map_and_close(case, CLEAN[:1])  # the page is dirty: later writes move no time stamp
    open_errno(case.path)
    mapping.write(eicar())
    mapping.close()


ENTRANCES = [
    Entrance("shared mapping, written, file closed, mapping lives", enter_map_written_then_closed),
    Entrance("shared mapping, file closed, judged, written, mapping lives", enter_map_closed_then_written),
    Entrance("shared mapping, written and unmapped", enter_map_unmapped),
    Entrance("shared mapping, file closed, judged, written, unmapped", enter_map_closed_written_unmapped),
    Entrance("shared mapping, dirty before it was judged", enter_map_dirty_before_scan),
]
