#!/usr/bin/env python3
"""File systems behind a server (FUSE here): one of a single thread that serves files of a watched file system, and so
waits for the gate in each open; and one that does not answer any more. The gate must wait for neither in anything."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

import fuse_server
from fuse_server import FuseServer
from picket_world import LIBC, World, eicar, wait_for

FILES = 40


@unittest.skipUnless(os.path.exists("/dev/fuse"), "no /dev/fuse")
class Served(unittest.TestCase):
    def setUp(self):
        self.mount = f"/run/picket-fuse-{os.getpid()}"
        os.makedirs(self.mount, exist_ok=True)
        self.addCleanup(lambda: os.path.isdir(self.mount) and os.rmdir(self.mount))
        self.world = World.__new__(World)
        self.world.extra_mount = ("--only-mount", self.mount)
        self.world.__init__()
        self.addCleanup(self.world.close)

    def state(self):
        return next((f for f in self.world.health()["filesystems"] if f["mount_point"] == self.mount), None)

    def wait_watched(self, timeout=30.0):
        wait_for(lambda: (self.state() or {}).get("status") == "protected", lambda: f"its mark: {self.state()}", timeout)


@unittest.skipUnless(shutil.which("bindfs"), "bindfs is not installed")
class OneThread(Served):
    def setUp(self):
        super().setUp()
        for i in range(FILES):
            self.world.write(f"file{i}", os.urandom(30_000))
            os.chown(self.world.path(f"file{i}"), 12345, -1)
        self.server = subprocess.Popen(["bindfs", "-s", "-f", self.world.watched, self.mount], stderr=subprocess.DEVNULL)
        self.addCleanup(self.end_server)
        wait_for(lambda: os.path.ismount(self.mount), "the FUSE file system")
        self.wait_watched()

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


class WithServer(Served):
    """A server that is there and does not answer: what waits for it cannot even be killed."""

    USER, WRITEBACK = 0, False

    def setUp(self):
        super().setUp()
        self.server = FuseServer(self.mount, {"clean": b"harmless" * 1000, "other": b"likewise" * 1000, "eicar": eicar()}, self.USER, self.WRITEBACK)
        self.addCleanup(self.server.close)
        self.wait_watched()
        self.pids = []
        self.addCleanup(self.reap)

    def reap(self):
        self.server.close()
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def in_background(self, work):
        pid = os.fork()
        if pid == 0:
            os.close(self.server.device)
            try:
                work()
            finally:
                os._exit(0)
        self.pids.append(pid)

    def open_it(self, name="clean"):
        before = self.server.waits()
        self.in_background(lambda: os.open(os.path.join(self.mount, name), os.O_RDONLY))
        wait_for(lambda: self.server.waits() > before, "the server to be asked")

    def check_another_gate(self):
        """A killed one holds nobody, and the next one protects."""
        self.world.end("gate")
        self.assertEqual(self.world.open_errno(self.world.path("root")), 2)
        self.world.start_gate()
        self.world.wait_protected()

    def start_scan(self, client):
        top = os.open(self.mount, os.O_PATH)
        try:
            return client.result("scan.start", {"kind": "custom", "path": self.mount}, [top])["scan_id"]
        finally:
            os.close(top)

    def check_the_others(self, prefix):
        """Files elsewhere are opened at once, and judged."""
        for i in range(20):
            self.world.write(f"{prefix}{i}", os.urandom(1000))
            start = time.monotonic()
            self.assertEqual(self.world.open_errno(self.world.path(f"{prefix}{i}")), 0)
            self.assertLess(time.monotonic() - start, 2)
        name = f"{prefix}eicar"
        with open(self.world.path(name), "wb", buffering=0) as writer:
            writer.write(eicar())
            wait_for(lambda: self.world.open_errno(self.world.path(name)) != 0, "a denied open")


class Silent(WithServer):
    def test_nobody_else_waits_for_it(self):
        self.assertNotEqual(self.world.open_errno(os.path.join(self.mount, "eicar")), 0)
        gate = self.world.processes["gate"].pid
        self.server.fall_silent(fuse_server.OPEN)
        self.open_it()
        self.check_the_others("now")
        wait_for(lambda: self.state()["status"] == "unmarked", lambda: str(self.state()), 10)
        self.assertEqual(self.state()["reason"], "its server does not answer")
        self.assertTrue(any(e.get("reason") == "filesystem_unmarked" and e["path"] == self.mount
                            for e in self.world.events("filesystem.unmarked")))
        self.check_the_others("later")
        self.assertEqual((self.world.processes["gate"].pid, self.world.processes["gate"].poll()), (gate, None))
        self.server.answer()
        self.wait_watched(45)
        self.assertNotEqual(self.world.open_errno(os.path.join(self.mount, "eicar")), 0)

    def test_a_killed_gate_holds_nobody(self):
        for kind in (fuse_server.OPEN, fuse_server.READ, fuse_server.FLUSH, fuse_server.GETATTR):
            with self.subTest(kind=kind):
                self.server.fall_silent(kind)
                self.in_background(lambda: os.close(os.open(os.path.join(self.mount, "clean"), os.O_RDONLY)))
                wait_for(lambda: self.server.waits() > 0, "the server to be asked")
                self.check_another_gate()
                self.check_the_others(f"kind{kind}-")
                self.server.answer()

    def test_a_scan_of_it_holds_nobody(self):
        client = self.world.rpc()
        self.addCleanup(client.close)
        for kind in (fuse_server.OPENDIR, fuse_server.OPEN, fuse_server.READ, fuse_server.GETATTR, fuse_server.FLUSH):
            with self.subTest(kind=kind):
                self.server.fall_silent(kind)
                self.start_scan(client)
                wait_for(lambda: self.server.waits() > 0, "the server to be asked")
                self.check_the_others(f"scan{kind}-")
                self.assertTrue(self.world.health()["real_time_protection_active"])
                self.server.answer()
                wait_for(lambda: all(s["status"] != "running" for s in client.result("scan.list")["scans"]), "the scan's end")

    def test_a_gate_killed_while_it_scans_holds_nobody(self):
        for kind in (fuse_server.OPENDIR, fuse_server.OPEN, fuse_server.READ, fuse_server.GETATTR, fuse_server.FLUSH):
            with self.subTest(kind=kind):
                self.server.fall_silent(kind)
                client = self.world.rpc()
                self.start_scan(client)
                client.close()
                wait_for(lambda: self.server.waits() > 0, "the server to be asked")
                self.check_another_gate()
                self.check_the_others(f"killed{kind}-")
                self.server.answer()

    def test_a_scan_finds_what_is_there_and_gives_up_what_does_not_answer(self):
        client = self.world.rpc()
        self.addCleanup(client.close)
        self.assertEqual(self.scan(client), ("finished", 3, 0, 1))
        self.server.fall_silent(fuse_server.OPENDIR)
        status, scanned, failed, _ = self.scan(client)
        self.assertEqual((status, scanned, failed), ("finished", 0, 1))
        self.assertIn("does not answer", client.result("scan.list")["scans"][0]["message"])
        self.server.answer()

    def scan(self, client):
        scan = self.start_scan(client)
        def record():
            return next(s for s in client.result("scan.list")["scans"] if s["scan_id"] == scan)
        wait_for(lambda: record()["status"] != "running", "the scan's end", 60)
        return tuple(record()[name] for name in ("status", "files_scanned", "files_failed", "threats_found"))

    def test_whoever_hands_one_in_holds_nobody(self):
        for kind in (fuse_server.FLUSH, fuse_server.GETATTR, fuse_server.READ):
            with self.subTest(kind=kind):
                answers, sent = os.pipe()
                wrapping, wrapped = socket.socketpair()  # whoever held it open here would wait when he is forked
                file = os.open(os.path.join(self.mount, "other"), os.O_RDONLY)
                socket.send_fds(wrapping, [b"f"], [file])
                os.close(file)
                self.server.fall_silent(kind)
                self.in_background(lambda: self.hand_in(wrapped, sent))
                os.close(sent)
                with open(answers, encoding="utf-8") as answers:
                    self.assertEqual(answers.readline(), "handed in\n")
                    self.check_the_others(f"handed{kind}-")
                    self.assertTrue(self.world.health()["real_time_protection_active"])
                    self.check_another_gate()
                    self.server.answer()
                wrapping.close()
                wrapped.close()

    def hand_in(self, wrapped, sent):
        """With every request, also with those that take none."""
        file = socket.recv_fds(wrapped, 1, 1)[1][0]
        os.setgroups([])
        os.setresgid(1234, 1234, 1234)
        os.setresuid(1234, 1234, 1234)
        for method in ("health", "version", "scan.start", "no.such.method"):
            self.world.rpc().call(method, {}, [file])
        for _ in range(40):  # more than one user may have under way
            self.world.rpc().send("scan.file", {"path": "other"}, [file])
        self.world.rpc().call("health")
        os.write(sent, b"handed in\n")
        os.close(sent)

    def test_one_that_answers_is_scanned(self):
        client = self.world.rpc()
        self.addCleanup(client.close)
        for name, verdict in (("clean", "clean"), ("other", "clean")):
            file = os.open(os.path.join(self.mount, name), os.O_RDONLY)
            self.assertEqual(client.result("scan.file", {"path": name}, [file])["verdict"], verdict)
            os.close(file)


class Written(WithServer):
    """Whoever lets go of such a file last writes back what is dirty of it."""

    WRITEBACK = True

    def test_whoever_lets_go_of_one_holds_nobody(self):
        wrapping, wrapped = socket.socketpair()
        file = os.open(os.path.join(self.mount, "other"), os.O_RDONLY)
        socket.send_fds(wrapping, [b"f"], [file])
        os.close(file)
        self.in_background(lambda: self.write_and_wait(wrapping, wrapped))
        wait_for(lambda: os.path.exists(self.world.path("written")), "a write")
        self.server.fall_silent(fuse_server.SETATTR, fuse_server.WRITE, fuse_server.FLUSH)
        client = self.world.rpc()
        client.send("version", {}, [wrapped.fileno()])
        wrapped.close()
        wrapping.close()
        client.close()
        wait_for(lambda: self.server.waits() > 0, "somebody who waits for the server", 3)
        gate = self.world.processes["gate"]
        self.check_the_others("let-go-")
        for thread in os.listdir(f"/proc/{gate.pid}/task"):
            with open(f"/proc/{gate.pid}/task/{thread}/stat", encoding="utf-8") as stat:
                self.assertNotIn(") D ", stat.read())
        self.assertTrue(self.world.health()["real_time_protection_active"])
        self.check_another_gate()
        self.server.answer()

    def write_and_wait(self, *others):
        for each in others:  # whoever closes those lets go of the file
            each.close()
        file = os.open(os.path.join(self.mount, "other"), os.O_WRONLY)
        time.sleep(1)  # whoever looked at that open is done, and writes nothing back
        os.write(file, b"dirty")
        os.close(os.open(self.world.path("written"), os.O_CREAT | os.O_WRONLY))
        signal.pause()


class OfAUser(WithServer):
    """Mounted by an ordinary user."""

    USER = 12345

    def test_records_go_on_while_a_threat_cannot_be_read(self):
        self.server.fall_silent(fuse_server.READ, to=0)  # the engine is another user
        path = os.path.join(self.mount, "eicar")
        self.assertNotEqual(self.world.open_errno(path), 0)
        self.world.write("eicar", eicar())
        wait_for(lambda: {e["path"] for e in self.world.events("threat.quarantined")} == {self.world.path("eicar")},
                 lambda: str(self.world.events()), 40)
        blocked = [e for e in self.world.events("threat.blocked") if e["path"] == path]
        self.assertEqual(len(blocked), 1)
        self.assertNotIn("sha256", blocked[0])
        refused = [e["reason"] for e in self.world.events("quarantine.refused") if e["path"] == path]
        self.assertEqual(refused, ["foreign_server"])


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
