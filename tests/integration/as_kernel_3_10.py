#!/usr/bin/env python3
"""Runs a program as if the kernel were 3.10: what came later is refused by a seccomp filter as that kernel would.
Usage: as_kernel_3_10.py PROGRAM [ARGUMENT…]. x86_64 only.
System calls that came later: ENOSYS (among them memfd_create, seccomp, statx, renameat2, openat2, pidfd_*, landlock_*,
close_range, clone3). Not getrandom: OpenSSL falls back to /dev/random on a kernel that calls itself older than 4.8, and
refuses to work on a newer one without it. fanotify_mark with file-system marks or execution events: EINVAL."""
import ctypes
import os
import struct
import sys

LAST_OF_3_10 = 313 # finit_module
FANOTIFY_MARK = 301
GETRANDOM = 318
FAN_MARK_FILESYSTEM = 0x100
FAN_MARK_EVICTABLE = 0x200
FAN_MARK_IGNORE = 0x400
FAN_OPEN_EXEC = 0x1000
FAN_OPEN_EXEC_PERM = 0x40000
ENOSYS, EINVAL = 38, 22
RETURN_ALLOW, RETURN_ERRNO = 0x7FFF0000, 0x00050000
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2
LOAD, JUMP_EQUAL, JUMP_ABOVE, JUMP_BITS, RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
NUMBER, FLAGS, MASK = 0, 16 + 8, 16 + 16 # offsets in struct seccomp_data: nr, args[1], args[2]

FILTER = [
    (LOAD, 0, 0, NUMBER),
    (JUMP_EQUAL, 6, 0, GETRANDOM),
    (JUMP_ABOVE, 6, 0, LAST_OF_3_10),
    (JUMP_EQUAL, 0, 4, FANOTIFY_MARK),
    (LOAD, 0, 0, FLAGS),
    (JUMP_BITS, 4, 0, FAN_MARK_FILESYSTEM | FAN_MARK_EVICTABLE | FAN_MARK_IGNORE),
    (LOAD, 0, 0, MASK),
    (JUMP_BITS, 2, 0, FAN_OPEN_EXEC | FAN_OPEN_EXEC_PERM),
    (RETURN, 0, 0, RETURN_ALLOW),
    (RETURN, 0, 0, RETURN_ERRNO | ENOSYS),
    (RETURN, 0, 0, RETURN_ERRNO | EINVAL),
]


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def play(instructions):
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)
    program = Program(len(instructions), code)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(program), 0, 0) != 0: # root needs no no_new_privs
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or libc.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_SECCOMP)")


if __name__ == "__main__":
    if len(sys.argv) < 2 or os.uname().machine != "x86_64":
        sys.exit(__doc__)
    play(FILTER)
    os.execvp(sys.argv[1], sys.argv[1:])
