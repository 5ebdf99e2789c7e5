#!/usr/bin/env python3
"""Runs a program as if the kernel had no system-call filters (CONFIG_SECCOMP_FILTER) and no Landlock. Usage:
without_seccomp.py PROGRAM [ARGUMENT…]. x86_64 only."""
import os
import sys

from as_kernel_3_10 import EINVAL, ENOSYS, JUMP_EQUAL, LOAD, NUMBER, PR_SET_SECCOMP, RETURN, RETURN_ALLOW, RETURN_ERRNO, play

PRCTL, SECCOMP, LANDLOCK_CREATE_RULESET = 157, 317, 444
FIRST_ARGUMENT = 16 # offset in struct seccomp_data

FILTER = [
    (LOAD, 0, 0, NUMBER),
    (JUMP_EQUAL, 4, 0, SECCOMP),
    (JUMP_EQUAL, 3, 0, LANDLOCK_CREATE_RULESET),
    (JUMP_EQUAL, 0, 3, PRCTL),
    (LOAD, 0, 0, FIRST_ARGUMENT),
    (JUMP_EQUAL, 2, 1, PR_SET_SECCOMP),
    (RETURN, 0, 0, RETURN_ERRNO | ENOSYS),
    (RETURN, 0, 0, RETURN_ALLOW),
    (RETURN, 0, 0, RETURN_ERRNO | EINVAL),
]

if __name__ == "__main__":
    if len(sys.argv) < 2 or os.uname().machine != "x86_64":
        sys.exit(__doc__)
    play(FILTER)
    os.execvp(sys.argv[1], sys.argv[1:])
