"""Bytes that come into a file by one of its descriptors."""

import ctypes
import fcntl
import mmap
import os

from case import PAGE, Entrance, Unsupported, closed, open_errno, writer
from io_uring import Ring
from own_root import LIBC
from picket_world import eicar

FICLONE = 0x40049409
FALLOC_COLLAPSE_RANGE = 8


def enter_write(case):
    os.write(writer(case), eicar())
    closed(case)


def enter_write_held(case):
    os.write(writer(case), eicar())


def enter_pwritev(case):
    os.pwritev(writer(case), [eicar()[:30], eicar()[30:]], 0)
    closed(case)


def enter_truncated(case):
    os.write(writer(case, os.O_TRUNC), eicar())
    closed(case)


def enter_append(case):
    os.write(writer(case, os.O_APPEND), eicar()[34:])
    closed(case)


def enter_set_back(case):
    before = os.stat(case.path)
    os.write(writer(case), eicar())
    closed(case)
    os.utime(case.path, ns=(before.st_atime_ns, before.st_mtime_ns))


def enter_sendfile(case):
    memory = case.hold(os.memfd_create("source"))
    os.write(memory, eicar())
    target = writer(case)
    if os.sendfile(target, memory, 0, len(eicar())) != len(eicar()):
        raise Unsupported("short")
    closed(case)


def enter_copy_file_range(case):
    source = case.bad_source()
    target = writer(case)
    if os.copy_file_range(source, target, len(eicar()), 0, 0) != len(eicar()):
        raise Unsupported("short")
    closed(case)


def enter_splice(case):
    reading, writing = os.pipe()
    os.write(writing, eicar())
    target = writer(case)
    os.splice(reading, target, len(eicar()))
    closed(case)
    os.close(reading)
    os.close(writing)


def enter_reflink(case):
    source = case.bad_source()
    target = writer(case)
    fcntl.ioctl(target, FICLONE, source)
    closed(case)


def with_ring(use):
    try:
        ring = Ring()
    except OSError as error:
        raise Unsupported(f"io_uring_setup: {error.strerror}") from error
    try:
        return use(ring)
    finally:
        ring.close()


def enter_io_uring(case):
    with_ring(lambda ring: ring.write(writer(case), eicar()))
    closed(case)


def check_io_uring_open(case):
    def use(ring):
        try:
            os.close(ring.open(case.path))
            return 0
        except OSError as error:
            return error.errno

    return with_ring(use)


def enter_direct(case):
    buffer = mmap.mmap(-1, PAGE)
    buffer.write(eicar().ljust(PAGE))
    os.pwritev(writer(case, os.O_DIRECT), [buffer], 0)
    closed(case)


def enter_collapse(case):
    target = writer(case)
    os.pwrite(target, b"." * 65536 + eicar().ljust(65536), 0)
    if LIBC.fallocate(target, FALLOC_COLLAPSE_RANGE, ctypes.c_long(0), ctypes.c_long(65536)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    closed(case)


ENTRANCES = [
    Entrance("write", enter_write),
    Entrance("write, and the writer still has it open", enter_write_held),
    Entrance("pwritev", enter_pwritev),
    Entrance("O_TRUNC and write", enter_truncated),
    Entrance("append", enter_append, prepare=lambda case: case.put(eicar()[:34])),
    Entrance("write, time stamps set back", enter_set_back),
    Entrance("sendfile", enter_sendfile),
    Entrance("copy_file_range", enter_copy_file_range),
    Entrance("splice", enter_splice),
    Entrance("reflink", enter_reflink),
    Entrance("O_DIRECT", enter_direct),
    Entrance("fallocate, collapsed range", enter_collapse),
    Entrance("written by io_uring", enter_io_uring),
    Entrance("opened by io_uring", enter_write, check=check_io_uring_open),
]
