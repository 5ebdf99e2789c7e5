#!/usr/bin/env python3
"""A small user of fanotify permission events, for tests of the lab itself.

fanotify_probe.py usable       exit 0 if permission events work here; tried on a private tmpfs
fanotify_probe.py deny PATH    denies every open of PATH by others, with a mark on its file system, until standard input
                               ends; prints "ready" when the mark is set and the number of denied opens at the end
"""
import ctypes
import os
import select
import struct
import sys
import tempfile
import threading

FAN_CLASS_CONTENT, FAN_CLOEXEC = 0x4, 0x1
FAN_MARK_ADD, FAN_MARK_FILESYSTEM = 0x1, 0x100
FAN_OPEN_PERM, FAN_ALLOW, FAN_DENY = 0x10000, 1, 2
EVENT = struct.Struct("=IBBHQii")
libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result < 0:
        raise OSError(ctypes.get_errno(), what)
    return result


def fanotify_group():
    return check(libc.fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, os.O_RDONLY | os.O_LARGEFILE), "fanotify_init")


def mark_file_system(group, path):
    check(libc.fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, ctypes.c_uint64(FAN_OPEN_PERM), -100,
                             os.fsencode(path)), "fanotify_mark")


def answer(group, is_denied):
    denied = 0
    data = os.read(group, 65536)
    for offset in range(0, len(data), EVENT.size):
        _, _, _, _, _, descriptor, pid = EVENT.unpack_from(data, offset)
        if descriptor < 0:
            continue
        deny = pid != os.getpid() and is_denied(os.fstat(descriptor))
        os.write(group, struct.pack("=iI", descriptor, FAN_DENY if deny else FAN_ALLOW))
        os.close(descriptor)
        denied += deny
    return denied


def deny(path):
    target = os.stat(path)
    group = fanotify_group()
    mark_file_system(group, path)
    print("ready", flush=True)
    denied = 0
    while True:
        ready, _, _ = select.select([group, 0], [], [])
        if group in ready:
            denied += answer(group, lambda file: (file.st_dev, file.st_ino) == (target.st_dev, target.st_ino))
        elif not os.read(0, 4096):
            break
    os.close(group)
    print(denied)
    return 0


def usable():
    check(libc.unshare(0x00020000), "unshare")  # CLONE_NEWNS: the tmpfs is ours alone and goes with us
    check(libc.mount(b"none", b"/", None, 0x4000 | 0x40000, None), "mount private")  # MS_REC | MS_PRIVATE
    directory = tempfile.mkdtemp(prefix="picket-fanotify-")
    try:
        check(libc.mount(b"tmpfs", os.fsencode(directory), b"tmpfs", 0, None), "mount tmpfs")
        path = os.path.join(directory, "file")
        open(path, "w", encoding="ascii").close()
        group = fanotify_group()
        mark_file_system(group, directory)
        refused = []
        opener = threading.Thread(target=lambda: refused.append(is_refused(path)))
        opener.start()
        while opener.is_alive():
            if select.select([group], [], [], 0.05)[0]:
                data = os.read(group, 4096)
                descriptor = EVENT.unpack_from(data)[5]
                os.write(group, struct.pack("=iI", descriptor, FAN_DENY))
                os.close(descriptor)
        opener.join()
        os.close(group)
        check(libc.umount2(os.fsencode(directory), 2), "umount")
    finally:
        os.rmdir(directory)
    return 0 if refused == [True] else 1


def is_refused(path):
    try:
        os.close(os.open(path, os.O_RDONLY))
        return False
    except PermissionError:
        return True


if __name__ == "__main__":
    sys.exit(usable() if sys.argv[1:] == ["usable"] else deny(sys.argv[2]))
