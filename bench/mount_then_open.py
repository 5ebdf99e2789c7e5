#!/usr/bin/env python3
"""How long after mount(2) an open on the new file system is guarded: mount_then_open.py FOLDER COUNT [--in-place]. Mounts
that many tmpfs, each in a place of its own or each where the one before was, puts the test file there and opens it until
that is denied. Prints JSON. It needs a Picket whose level is to deny; ./dev bench mounts gives it one."""
import ctypes
import errno
import json
import os
import statistics
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)
PATIENCE = 30.0


def is_let_through(path):
    try:
        os.close(os.open(path, os.O_RDONLY))
        return True
    except (PermissionError, FileNotFoundError):  # denied; denied and taken away already
        return False


def unmount(folder):
    while LIBC.umount2(folder.encode(), 0) != 0:  # somebody may be looking at it
        if ctypes.get_errno() != errno.EBUSY:
            raise OSError(ctypes.get_errno(), "umount")
        time.sleep(0.001)


def mount_then_open(folder):
    """The milliseconds until an open was denied, and how many were let through before."""
    if LIBC.mount(b"none", folder.encode(), b"tmpfs", 0, b"") != 0:
        raise OSError(ctypes.get_errno(), "mount")
    began = time.monotonic()
    path = os.path.join(folder, "sample.com")
    with open(path, "wb") as file:
        file.write(b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*")
    opens = 0
    while is_let_through(path):
        opens += 1
        if time.monotonic() - began > PATIENCE:
            sys.exit(f"not guarded after {PATIENCE:.0f} s")
        time.sleep(0.001)
    return (time.monotonic() - began) * 1000, opens


def main():
    top, count, in_place = sys.argv[1], int(sys.argv[2]), "--in-place" in sys.argv
    results = []
    for number in range(count):
        folder = os.path.join(top, "place" if in_place else str(number))
        os.makedirs(folder, exist_ok=True)
        results.append(mount_then_open(folder))
        if in_place:
            unmount(folder)
    for number in range(0 if in_place else count):
        unmount(os.path.join(top, str(number)))
    times = sorted(milliseconds for milliseconds, _ in results)
    print(json.dumps({"mounts": count, "first_open_let_through": sum(opens > 0 for _, opens in results),
                      "guarded_after_ms": {"median": round(statistics.median(times), 1), "p90": round(times[(count - 1) * 9 // 10], 1),
                                           "most": round(times[-1], 1)}}))


main()
