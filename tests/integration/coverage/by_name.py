"""Malware that comes to a name, or is reached by something else than its name."""

import ctypes
import errno
import os
import struct

from by_descriptor import enter_write
from case import Entrance, Unsupported, closed, open_errno, writer
from own_root import LIBC
from picket_world import eicar

AT_FDCWD, AT_SYMLINK_FOLLOW, RENAME_EXCHANGE = -100, 0x400, 2
SYS_RENAMEAT2 = 316


def enter_rename_over(case):
    os.rename(case.put(eicar(), "new"), case.path)


def enter_exchange(case):
    other = case.put(eicar(), "new")
    if LIBC.syscall(SYS_RENAMEAT2, AT_FDCWD, other.encode(), AT_FDCWD, case.path.encode(), RENAME_EXCHANGE) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def enter_hard_link(case):
    source = case.put(eicar(), "new")
    os.unlink(case.path)
    try:
        os.link(source, case.path)
    except PermissionError as error:
        raise Unsupported("no hard links") from error


def enter_symbolic_link(case):
    source = case.put(eicar(), "new")
    os.unlink(case.path)
    try:
        os.symlink(source, case.path)
    except PermissionError as error:
        raise Unsupported("no symbolic links") from error


def enter_tmpfile(case):
    fd = case.hold(os.open(case.folder, os.O_TMPFILE | os.O_RDWR, 0o755))
    os.write(fd, eicar())
    os.unlink(case.path)
    if LIBC.linkat(AT_FDCWD, f"/proc/self/fd/{fd}".encode(), AT_FDCWD, case.path.encode(), AT_SYMLINK_FOLLOW) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    closed(case)


def check_deleted(case):
    fd = writer(case)
    os.write(fd, eicar())
    os.unlink(case.path)
    return open_errno(f"/proc/self/fd/{fd}")


def check_path_descriptor(case):
    return open_errno(f"/proc/self/fd/{case.held[0]}")


def enter_path_descriptor(case):
    case.hold(os.open(case.path, os.O_PATH))
    with open(case.path, "r+b", buffering=0) as file:
        file.write(eicar())


def check_by_handle(case):
    handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0).ljust(136, b"\0"))
    mount_id = ctypes.c_int()
    if LIBC.name_to_handle_at(AT_FDCWD, case.path.encode(), handle, ctypes.byref(mount_id), 0) != 0:
        raise Unsupported("no file handles")
    at = os.open(case.folder, os.O_RDONLY | os.O_DIRECTORY)
    fd = LIBC.open_by_handle_at(at, handle, os.O_RDONLY)
    number = ctypes.get_errno() if fd < 0 else 0
    os.close(at)
    if fd >= 0:
        os.close(fd)
    if number in (errno.EOPNOTSUPP, errno.ESTALE):
        raise Unsupported("no file handles")
    return number


def enter_old_descriptor(case):
    case.hold(os.open(case.path, os.O_RDONLY))
    enter_write(case)


def check_old_descriptor(case):
    return 0 if os.pread(case.held[0], 68, 0) == eicar() else errno.EPERM


ENTRANCES = [
    Entrance("rename over it", enter_rename_over),
    Entrance("rename, exchanged", enter_exchange),
    Entrance("hard link", enter_hard_link),
    Entrance("symbolic link", enter_symbolic_link),
    Entrance("O_TMPFILE and link", enter_tmpfile),
    Entrance("deleted, opened by /proc/self/fd", lambda case: None, check=check_deleted),
    Entrance("O_PATH, opened again", enter_path_descriptor, check=check_path_descriptor),
    Entrance("opened by handle", enter_write, check=check_by_handle),
    Entrance("descriptor from when it was clean", enter_old_descriptor, check=check_old_descriptor),
]
