#!/usr/bin/env python3
"""shared_mounts.py PID: file systems with files of their own that are mounted both here and where PID lives.

Exit 0 when there are none; else prints them and exits 1.
"""
import sys

# Kernel interfaces, the same everywhere; they hold no file that a gate would judge.
KERNEL_INTERFACES = {
    "proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue", "bpf", "securityfs", "debugfs", "tracefs", "pstore",
    "configfs", "fusectl", "hugetlbfs", "binfmt_misc", "autofs", "efivarfs", "nsfs", "selinuxfs",
}


def mounts(pid):
    found = {}
    with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            fields = line.split()
            kind = fields[fields.index("-", 6) + 1]
            if kind not in KERNEL_INTERFACES:
                found.setdefault(fields[2], (kind, fields[4]))
    return found


def main():
    here, there = mounts("self"), mounts(int(sys.argv[1]))
    shared = sorted(set(here) & set(there))
    print(", ".join(f"{there[device][0]} at {there[device][1]} is {here[device][1]} here" for device in shared))
    return 1 if shared else 0


if __name__ == "__main__":
    sys.exit(main())
