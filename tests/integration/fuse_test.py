#!/usr/bin/env python3
"""A FUSE server of one thread that serves files of a watched file system: it waits for the gate in each open, and the
gate must wait for it in nothing."""

import os
import shutil
import subprocess
import sys
import threading
import time
import unittest

from picket_world import LIBC, World, eicar, wait_for

FILES = 40


@unittest.skipUnless(shutil.which("bindfs"), "bindfs is not installed")
@unittest.skipUnless(os.path.exists("/dev/fuse"), "no /dev/fuse")
class Fuse(unittest.TestCase):
    def setUp(self):
        self.mount = f"/run/picket-fuse-{os.getpid()}"
        os.makedirs(self.mount, exist_ok=True)
        self.addCleanup(lambda: os.path.isdir(self.mount) and os.rmdir(self.mount))
        self.world = World.__new__(World)
        self.world.extra_mount = ("--only-mount", self.mount)
        self.world.__init__()
        self.addCleanup(self.world.close)
        for i in range(FILES):
            self.world.write(f"file{i}", os.urandom(30_000))
            os.chown(self.world.path(f"file{i}"), 12345, -1)
        self.server = subprocess.Popen(["bindfs", "-s", "-f", self.world.watched, self.mount], stderr=subprocess.DEVNULL)
        self.addCleanup(self.end_server)
        wait_for(lambda: os.path.ismount(self.mount), "the FUSE file system")
        wait_for(lambda: any(f["mount_point"] == self.mount and f["status"] == "protected" for f in self.filesystems()), "its mark")

    def filesystems(self):
        return self.world.health()["filesystems"]

    def end_server(self):
        self.server.kill()
        self.server.wait()
        LIBC.umount2(self.mount.encode(), 2)

    def test_nobody_waits_for_long(self):
        gate = self.world.processes["gate"].pid
        failures = []

        def read(directory, order):
            for i in order:
                try:
                    with open(os.path.join(directory, f"file{i}"), "rb") as file:
                        file.read()
                except OSError as error:
                    failures.append(error)

        start = time.monotonic()
        readers = [threading.Thread(target=read, args=(place, order), daemon=True)
                   for place in (self.mount, self.world.watched) for order in (range(FILES), range(FILES - 1, -1, -1)) for _ in range(3)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(max(0, 100 - (time.monotonic() - start)))
        self.assertFalse(any(reader.is_alive() for reader in readers), "an open waits for good")
        self.assertEqual(failures, [])
        self.assertEqual(self.world.processes["gate"].pid, gate)
        self.assertIsNone(self.world.processes["gate"].poll())

    def test_malware_is_denied_through_it(self):
        with open(os.path.join(self.mount, "eicar"), "wb", buffering=0) as writer:
            writer.write(eicar())
            wait_for(lambda: self.world.open_errno(os.path.join(self.mount, "eicar")) != 0, "a denied open")


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
