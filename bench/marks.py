#!/usr/bin/env python3
"""What the kernel itself takes for marks like Picket's, with nobody to scan: the bound of a warm open.

marks.py DIRECTORY   marks its file system for permission events, has every file below it ignored and everything else
allowed; prints "ready" and goes on until standard input ends."""
import ctypes
import os
import select
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/lab"))
from fanotify_probe import EVENT, FAN_ALLOW, FAN_MARK_ADD, FAN_MARK_FILESYSTEM, FAN_OPEN_PERM, check, fanotify_group, libc  # noqa: E402

FAN_MARK_IGNORED_MASK = 0x20
FAN_CLOSE_WRITE, FAN_OPEN_EXEC_PERM = 0x8, 0x40000


def mark(group, flags, mask, path):
    check(libc.fanotify_mark(group, FAN_MARK_ADD | flags, ctypes.c_uint64(mask), -100, os.fsencode(path)), f"fanotify_mark {path}")


def main():
    group = fanotify_group()
    for folder, _, names in os.walk(sys.argv[1]):
        for name in names:
            path = os.path.join(folder, name)
            mark(group, FAN_MARK_IGNORED_MASK, FAN_OPEN_PERM | FAN_OPEN_EXEC_PERM, path)
            mark(group, 0, FAN_CLOSE_WRITE, path)
    mark(group, FAN_MARK_FILESYSTEM, FAN_OPEN_PERM | FAN_OPEN_EXEC_PERM | FAN_CLOSE_WRITE, sys.argv[1])
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([group, 0], [], [])
        if group not in ready:
            return
        data = os.read(group, 65536)
        for offset in range(0, len(data), EVENT.size):
            _, _, _, _, mask, descriptor, _ = EVENT.unpack_from(data, offset)
            if mask & (FAN_OPEN_PERM | FAN_OPEN_EXEC_PERM):
                os.write(group, struct.pack("=iI", descriptor, FAN_ALLOW))
            os.close(descriptor)


if __name__ == "__main__":
    main()
