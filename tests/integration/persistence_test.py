#!/usr/bin/env python3
"""What is known to be clean outlives a restart and a reboot, and nothing that is in doubt does.

A reboot is played: the disk is unmounted and mounted again, and the gate reads another boot_id."""

import os
import shutil
import subprocess
import sys
import time
import unittest
import uuid

from picket_world import LIBC, World, eicar, wait_for

FILES = 20
AS_BOOTED = 'mount --bind "$1" /proc/sys/kernel/random/boot_id && shift && exec "$@"'


class Disk(World):
    """With an ext4 on an image that only root may write, beside the tmpfs."""

    def __init__(self):
        self.disk = "/run/picket-disk-%d" % os.getpid()
        self.image = self.disk + ".img"
        with open(self.image, "wb") as file:
            os.chmod(self.image, 0o600)
            file.truncate(64 << 20)
        os.makedirs(self.disk, 0o755)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.image], check=True)
        self.attach()
        self.extra_mount = ("--only-mount", self.disk)
        super().__init__()

    def attach(self):
        subprocess.run(["mount", "-o", "loop", self.image, self.disk], check=True)

    def detach(self):
        def gone():  # the gate's own looks at it end in a moment
            return subprocess.run(["umount", self.disk], check=False, capture_output=True).returncode == 0

        wait_for(gone, "the unmount")

    def close(self):
        super().close()
        while LIBC.umount2(self.disk.encode(), 2) == 0:
            pass
        os.rmdir(self.disk)
        os.unlink(self.image)


class Persistence(unittest.TestCase):
    def setUp(self):
        self.world = Disk()
        self.addCleanup(self.world.close)
        self.store = os.path.join(self.world.root, "var/lib/picket/cache/verdicts")
        self.files = [os.path.join(self.world.disk, "f%d" % number) for number in range(FILES)]
        for path in self.files:
            with open(path, "wb") as file:
                file.write(b"content " * 50 + path.encode())
        time.sleep(0.2)  # until the time stamps can be trusted
        self.open_all()
        self.open_all()

    def open_all(self, files=None):
        for path in files or self.files:
            self.assertEqual(self.world.open_errno(path), 0)

    def counters(self):
        client = self.world.rpc()
        try:
            return client.result("statistics", {})["counters"]
        finally:
            client.close()

    def stop(self, number=15):
        self.world.end("gate", number)

    def start(self):
        self.world.start_gate()
        self.world.wait_protected()

    def restored(self, files=None):
        """(files answered by what was known before the restart, files scanned) when all are opened."""
        before = self.counters()
        self.open_all(files)
        after = self.counters()
        return (after["restored_verdicts"] - before["restored_verdicts"], after["scans"] - before["scans"])

    def assert_cold(self):
        known, scanned = self.restored()
        self.assertEqual(known, 0)
        self.assertGreaterEqual(scanned, FILES - 1)  # the proof of protection may have opened one

    def test_what_was_clean_is_known_after_a_restart_and_the_file_is_read_once(self):
        self.stop()
        status = os.stat(self.store)
        self.assertEqual((status.st_mode & 0o7777, status.st_uid), (0o600, 0))
        self.start()
        wait_for(lambda: not os.path.exists(self.store), "the end of the file")
        self.assertGreaterEqual(self.counters()["verdicts_of_last_run"], FILES)
        known, scanned = self.restored()
        self.assertEqual(known, FILES)
        self.assertLessEqual(scanned, 2)  # of the engine's probe
        # And over the next one, without having been asked about in between.
        self.stop()
        self.start()
        self.stop()
        self.start()
        self.assertEqual(self.restored()[0], FILES)

    def test_what_was_changed_meanwhile_is_judged_anew_whatever_its_times_say(self):
        victim = self.files[3]
        status = os.stat(victim)
        self.stop()
        with open(victim, "r+b") as file:
            file.truncate(0)
            file.write(eicar().ljust(status.st_size, b"\n"))
        os.utime(victim, ns=(status.st_atime_ns, status.st_mtime_ns))
        self.assertEqual((os.stat(victim).st_size, os.stat(victim).st_mtime_ns), (status.st_size, status.st_mtime_ns))
        self.start()
        self.assertEqual(self.world.open_errno(victim), 1)
        self.assertEqual(self.restored([path for path in self.files if path != victim])[0], FILES - 1)

    def test_a_tmpfs_is_never_carried_over(self):
        self.world.write("t", b"clean " * 100)
        time.sleep(0.2)
        self.open_all([self.world.path("t")] * 2)
        self.stop()
        self.start()
        known, scanned = self.restored([self.world.path("t")])
        self.assertEqual(known, 0)
        self.assertGreaterEqual(scanned, 1)

    def test_a_file_system_that_was_unmounted_meanwhile_is_not_believed(self):
        self.stop()
        self.world.detach()
        self.world.attach()
        self.start()
        self.assert_cold()
        self.assertIn("unmounted", self.counters()["verdicts_of_last_run_dropped"])

    def test_a_torn_a_forged_and_an_older_file_are_worth_nothing(self):
        self.stop()
        old = self.store + ".old"
        shutil.copy2(self.store, old)
        with open(self.store, "r+b") as file:
            file.seek(200)
            byte = file.read(1)
            file.seek(200)
            file.write(bytes([byte[0] ^ 1]))
        self.start()
        self.assert_cold()
        self.assertIn("not the one that was written last", self.counters()["verdicts_of_last_run_dropped"])
        time.sleep(1.1)  # the file says in which second it was made: within one it would be the same, byte for byte
        self.stop()
        os.rename(old, self.store)  # whole and well-formed, of the run before
        self.start()
        self.assert_cold()
        self.stop()
        os.chmod(self.store, 0o644)
        self.start()
        self.assert_cold()
        self.assertIn("root's alone", self.counters()["verdicts_of_last_run_dropped"])

    def test_a_daemon_that_is_killed_leaves_nothing_behind(self):
        self.stop(9)
        self.assertFalse(os.path.exists(self.store))
        self.start()
        self.assert_cold()

    def reboot(self, meanwhile=lambda: None):
        self.stop()
        self.world.detach()
        meanwhile()
        self.world.attach()
        boot_id = os.path.join(self.world.base, "boot_id")
        with open(boot_id, "w", encoding="ascii") as file:
            file.write("%s\n" % uuid.uuid4())
        self.world.LAUNCHER = ("unshare", "--mount", "sh", "-c", AS_BOOTED, "sh", boot_id)
        self.start()

    def test_what_was_clean_is_known_after_a_reboot(self):
        self.reboot()
        self.assertEqual(self.restored()[0], FILES)

    def test_a_disk_that_was_mounted_elsewhere_between_two_boots_is_not_believed(self):
        def elsewhere():
            self.world.attach()
            with open(self.files[3], "r+b") as file:
                file.write(eicar())
            self.world.detach()

        self.reboot(elsewhere)
        self.assertEqual(self.world.open_errno(self.files[3]), 1)
        self.assertEqual(self.restored(self.files[4:])[0], 0)

    def test_other_definitions_or_another_profile_end_it(self):
        self.stop()
        self.world.write_profile({"antivirusEngine": {"scanArchives": False}})
        self.start()
        self.assert_cold()
        self.open_all()
        self.stop()
        self.world._definitions("g2")
        self.world.end("engine", 15)
        self.world.start_engine()
        self.start()
        self.assert_cold()


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("SKIP: needs root (fanotify, mount)")
        sys.exit(77)
    unittest.main(verbosity=2)
