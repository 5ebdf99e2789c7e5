#!/usr/bin/env python3
"""A new host is scanned once in the background and its cache is full then. The gate believes that a small tree is its
host: it is what it sees as /, so that nothing of this machine is scanned but the programs that are bound into it."""

import ctypes
import os
import shutil
import subprocess
import sys
import time
import unittest

from picket_world import LIBC, PROGRAMS, World, wait_for

MS_RDONLY, MS_REMOUNT, MS_BIND, MNT_DETACH = 1, 32, 4096, 2
CALM_AFTER_BOOT, CALM_AFTER_START = 600, 60
FILES = 30


def mount(source, target, kind, flags=0):
    if LIBC.mount(source.encode(), target.encode(), kind, flags, None) != 0:
        raise OSError(ctypes.get_errno(), f"mount {source} on {target}")


class SmallHost(World):
    """World.root is what the gate sees as /; the watched tmpfs is its /srv, where a quick scan looks."""

    def __init__(self):
        self.inside = []
        super().__init__()

    def build(self):
        shutil.copy2(os.path.realpath(os.path.join(PROGRAMS, "picketd")), os.path.join(self.root, "picketd"))
        for name in ("lib", "lib64"):
            os.symlink("usr/" + name, os.path.join(self.root, name))
        for folder in ("usr/lib", "usr/lib64"):
            self.bind("/" + folder, folder, read_only=True)
        self.bind(self.run, self.run[1:])
        self.bind(self.watched, "srv")
        self.bind("/dev/null", "dev/null")
        os.makedirs(os.path.join(self.root, "proc"))
        mount("proc", os.path.join(self.root, "proc"), b"proc")
        self.inside.append(os.path.join(self.root, "proc"))
        self.bind("/sys", "sys")

    def bind(self, source, name, read_only=False):
        target = os.path.join(self.root, name)
        if os.path.isdir(source):
            os.makedirs(target, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb"):
                pass
        mount(source, target, None, MS_BIND)
        self.inside.append(target)
        if read_only:
            mount(source, target, None, MS_BIND | MS_REMOUNT | MS_RDONLY)

    def spawn(self, name, program, *arguments):
        if name != "gate":
            return super().spawn(name, program, *arguments)
        if not self.inside:
            self.build()
        log = open(os.path.join(self.base, name + ".log"), "ab")
        process = subprocess.Popen(["chroot", self.root, "/picketd", "--run-directory", self.run, "--engine-user",
                                    arguments[arguments.index("--engine-user") + 1], "--only-mount", "/srv"],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        log.close()
        self.processes[name] = process
        return process

    def close(self):
        for name in ("engine", "gate"):
            if name in self.processes and self.processes[name].poll() is None:
                self.end(name, 15)
        for target in reversed(self.inside):
            LIBC.umount2(target.encode(), MNT_DETACH)
        super().close()


class WarmUp(unittest.TestCase):
    def setUp(self):
        self.world = SmallHost()
        self.addCleanup(self.world.close)

    def ask(self, method, parameters=None):
        client = self.world.rpc()
        try:
            return client.result(method, parameters or {})
        finally:
            client.close()

    def scans_of_at_least(self, number):
        figures = self.world.health()["statistics"]
        return figures if figures["scans"] >= number else None

    def test_a_new_host_is_scanned_once_and_its_first_opens_cost_nothing(self):
        self.world.end("gate", 15)
        files = [self.world.path(f"f{number}") for number in range(FILES)]
        for path in files:
            with open(path, "wb") as file:
                file.write(b"nobody has looked at this " + path.encode())
        self.world.start_gate()
        self.world.wait_protected()
        self.assertEqual(self.ask("scan.list")["scans"], [])
        wait_for(lambda: [scan for scan in self.ask("scan.list")["scans"] if scan["status"] == "finished"],
                 "the scan of a new host", CALM_AFTER_START + 60)
        scan, = self.ask("scan.list")["scans"]
        self.assertEqual((scan["kind"], scan["origin"]), ("quick", "scheduled"))
        self.assertGreaterEqual(scan["files_scanned"], FILES)
        # The gate's figures follow a moment later; the probe of the engine is in them, too.
        before = wait_for(lambda: self.scans_of_at_least(FILES), "the scan in the gate's figures")
        for path in files:
            self.assertEqual(self.world.open_errno(path), 0)
        after = self.world.health()["statistics"]
        self.assertLessEqual(after["scans"] - before["scans"], 2)  # the engine's probe
        # Once: not after a restart.
        self.world.end("gate", 15)
        self.world.start_gate()
        self.world.wait_protected()
        time.sleep(CALM_AFTER_START + 15)
        self.assertEqual([each["scan_id"] for each in self.ask("scan.list")["scans"]], [scan["scan_id"]])


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("SKIP: needs root (fanotify, mount)")
        sys.exit(77)
    with open("/proc/uptime", encoding="ascii") as uptime:
        if float(uptime.read().split()[0]) < CALM_AFTER_BOOT + 10:
            print("SKIP: a host that has just booted is not scanned; this one was started less than ten minutes ago")
            sys.exit(77)
    unittest.main(verbosity=2)
