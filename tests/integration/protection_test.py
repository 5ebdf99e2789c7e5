#!/usr/bin/env python3
"""Real-time protection end to end: what an opener, an attacker and an administrator notice."""

import base64
import ctypes
import errno
import json
import mmap
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import zipfile

from event_sinks import Receiver, journal_fields, syslog_fields
from picket_world import LIBC, PROGRAMS, World, children_of, eicar, tree_of, wait_for

# fanotify(7)
FAN_CLASS_CONTENT, FAN_CLOEXEC, FAN_OPEN_PERM, FAN_MARK_ADD, FAN_MARK_MOUNT = 0x4, 0x1, 0x10000, 0x1, 0x10


class Protected(unittest.TestCase):
    """One world for what leaves it as it was."""

    @classmethod
    def setUpClass(cls):
        cls.world = World()

    @classmethod
    def tearDownClass(cls):
        cls.world.close()

    def gone(self, path):
        wait_for(lambda: not os.path.exists(path), "quarantine of " + path)

    def test_clean_file_opens(self):
        self.world.write("clean", b"hello world\n" * 100)
        self.assertEqual(self.world.open_errno(self.world.path("clean")), 0)

    def test_eicar_is_denied_while_its_writer_holds_it_and_quarantined_after(self):
        path = self.world.path("eicar")
        writer = self.world.write("eicar", eicar(), close=False)
        self.assertEqual(self.world.open_errno(path), errno.EPERM)
        writer.close()
        self.gone(path)
        client = self.world.rpc()
        threats = client.result("threat.list")["threats"]
        mine = [threat for threat in threats if threat["path"] == path]
        self.assertEqual(len(mine), 1)
        wait_for(lambda: client.result("threat.get", {"threat_id": mine[0]["threat_id"]})["status"] == "quarantined", "the status")
        items = client.result("quarantine.list")["items"]
        self.assertIn(path, [item["path"] for item in items])
        client.close()

    def test_what_is_only_written_is_found_on_close(self):
        path = self.world.path("dropped")
        self.world.write("dropped", eicar())
        self.gone(path)
        self.assertIn("close_write", [event["origin"] for event in self.world.events("threat.detected")])

    def test_archives_are_looked_into(self):
        path = self.world.path("archive.zip")
        with open(path, "wb") as raw, zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("inner/test.com", eicar())
            raw.flush()
        self.gone(path)

    def test_content_that_turns_bad_is_denied(self):
        path = self.world.path("turns")
        self.world.write("turns", b"x" * 68)
        time.sleep(0.1)  # so old that its verdict is worth remembering
        self.assertEqual(self.world.open_errno(path), 0)
        with open(path, "r+b", buffering=0) as writer:
            writer.write(eicar())
            self.assertEqual(self.world.open_errno(path), errno.EPERM)

    def test_restore_stays_restored(self):
        path = self.world.path("wanted")
        content = eicar() + b" of its own, for the allowance is for a content"
        self.world.write("wanted", content)
        self.gone(path)
        client = self.world.rpc()
        item = wait_for(lambda: [i for i in client.result("quarantine.list")["items"] if i["path"] == path], "the vault entry")[0]
        client.result("quarantine.restore", {"quarantine_id": item["quarantine_id"]})
        with open(path, "rb") as file:
            self.assertEqual(file.read(), content)
        time.sleep(0.3)  # CLOSE_WRITE of the restored file has been looked at
        self.assertEqual(self.world.open_errno(path), 0)
        self.assertTrue(os.path.exists(path))
        client.close()
        os.unlink(path)

    def test_names_with_control_characters_are_one_record(self):
        name = b"line\nfeed\x1b[31m\xff"
        path = os.path.join(self.world.watched.encode(), name)
        with open(path, "wb") as file:
            file.write(eicar())
        wait_for(lambda: not os.path.exists(path), "quarantine")
        client = self.world.rpc()
        paths = [base64.b64decode(t["path_b64"]) for t in client.result("threat.list")["threats"] if "path_b64" in t]
        client.close()
        self.assertIn(path, paths)

    def test_exclusions_and_allowed_threats_work_at_once_and_end_at_once(self):
        os.makedirs(self.world.path("free"), exist_ok=True)
        path = self.world.path("free/eicar")
        client = self.world.rpc()
        client.result("exclusion.add", {"type": "folder", "value": self.world.path("free")})
        self.world.write("free/eicar", eicar())
        self.assertEqual(self.world.open_errno(path), 0)
        client.result("exclusion.remove", {"type": "folder", "value": self.world.path("free")})
        self.assertEqual(self.world.open_errno(path), errno.EPERM)
        self.gone(path)
        self.assertTrue(self.world.events("protection.weakened"))
        client.close()

    def test_custom_scan_finds_what_lay_there(self):
        os.makedirs(self.world.path("tree/deep"), exist_ok=True)
        for i in range(200):
            self.world.write(f"tree/deep/{i}", f"file {i}\n".encode() * 50)
        client = self.world.rpc()
        client.result("config.set", {"name": "enforcement-level", "value": "on_demand"})
        self.world.write("tree/deep/bad", eicar())
        directory = os.open(self.world.path("tree"), os.O_PATH)
        client.result("scan.start", {"kind": "custom", "path": self.world.path("tree"), "follow": True}, [directory])
        os.close(directory)

        def finished():
            if not any(n.get("method") == "scan.finished" for n in client.notifications):
                client.notifications.append(json.loads(client.socket.recv(1 << 20)))
            return [n for n in client.notifications if n.get("method") == "scan.finished"]

        record = wait_for(finished, "the end of the scan")[0]["params"]
        self.assertEqual(record["status"], "finished")
        self.assertEqual(record["files_scanned"], 201)
        self.assertEqual(record["threats_found"], 1)
        found = [n["params"] for n in client.notifications if n.get("method") == "scan.threat"]
        self.assertEqual(found[0]["path"], self.world.path("tree/deep/bad"))
        self.assertEqual(found[0]["action"], "quarantined")
        client.result("config.set", {"name": "enforcement-level", "value": "real_time"})
        client.close()
        self.world.wait_protected()

    def test_an_ordinary_user_may_ask_health_and_scan_its_own_and_nothing_else(self):
        pid = os.fork()
        if pid == 0:
            try:
                os.setgroups([])
                os.setresgid(1234, 1234, 1234)
                os.setresuid(1234, 1234, 1234)
                client = self.world.rpc()
                assert client.result("health")["app_version"]
                for method in ("threat.list", "exclusion.list", "config.show", "event.list", "quarantine.list", "scan.list"):
                    assert client.call(method)["error"]["data"]["name"] == "needs_root", method
                memory = os.memfd_create("mine")
                os.write(memory, eicar())
                assert client.result("scan.file", {"path": "mine"}, [memory])["verdict"] == "malicious"
                assert client.call("scan.file", {}, [os.open("/", os.O_PATH)])["error"]["data"]["name"] == "usage"
                os._exit(0)
            except BaseException as error:  # noqa: the child's only way to say so
                print(error, file=sys.stderr, flush=True)
                os._exit(1)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)

    def test_the_control_socket_survives_its_clients(self):
        mute = [self.world.rpc() for _ in range(200)]
        silent = self.world.rpc()
        for _ in range(2000):  # asks and never reads
            try:
                silent.socket.setblocking(False)
                silent.send("health")
            except (BlockingIOError, BrokenPipeError, ConnectionResetError):
                break
        for junk in (b"\x00\xff\xfe", b"{", b"[]", b'{"jsonrpc":"2.0","id":1,"method":"no.such"}', b"A" * 500_000):
            bad = self.world.rpc()
            try:
                bad.socket.send(junk)
            except OSError:
                pass
            bad.close()
        big = self.world.rpc()
        with self.assertRaises(OSError):
            big.socket.send(b"B" * (10 << 20))
        self.assertIn("healthy", self.world.health())
        for client in [*mute, silent, big]:
            client.close()
        self.assertIn("healthy", self.world.health())

    def events_of(self, action):
        before = self.world.health()["statistics"]["events"]
        action()
        time.sleep(0.1)  # the published counters are some hundredths of a second old
        return self.world.health()["statistics"]["events"] - before

    def make_warm(self, path):
        """Opened until the kernel asks no more."""
        wait_for(lambda: self.events_of(lambda: self.world.open_errno(path)) == 0, "no question about " + path)

    def test_the_kernel_asks_no_more_about_a_clean_file_of_root_until_it_is_written(self):
        ways = {
            "write": lambda path: self.rewrite(path, os.O_WRONLY, lambda fd: os.pwrite(fd, eicar(), 0)),
            "truncate": lambda path: self.rewrite(path, os.O_WRONLY | os.O_TRUNC, lambda fd: os.write(fd, eicar())),
            "sendfile": lambda path: self.rewrite(path, os.O_WRONLY, self.send_eicar),
            "mmap": lambda path: self.rewrite(path, os.O_RDWR, self.map_eicar),
        }
        for name, way in ways.items():
            with self.subTest(name):
                path = self.world.path("system-" + name)
                self.world.write("system-" + name, b"c" * len(eicar()))
                self.make_warm(path)
                self.assertEqual(self.world.open_errno(path), 0)
                way(path)
                self.assertIn(wait_for(lambda path=path: self.world.open_errno(path), "a denied open"), (errno.EPERM, errno.ENOENT))
        statistics = self.world.health()["statistics"]
        self.assertGreaterEqual(statistics["ignore_marks"], len(ways))

    @staticmethod
    def rewrite(path, flags, fill):
        fd = os.open(path, flags)
        try:
            fill(fd)
        finally:
            os.close(fd)

    @staticmethod
    def send_eicar(fd):
        with tempfile.TemporaryFile() as source:
            source.write(eicar())
            source.flush()
            os.sendfile(fd, source.fileno(), 0, len(eicar()))

    @staticmethod
    def map_eicar(fd):
        with mmap.mmap(fd, len(eicar())) as mapping:
            mapping[:] = eicar()

    def test_new_definitions_take_effect_behind_an_open_that_the_old_verdict_answers(self):
        path = self.world.path("known-later")
        self.world.write("known-later", b"only the next definitions know this text")
        self.make_warm(path)
        target = self.world._definitions("g2")
        with open(os.path.join(target, "later.ndb"), "w", encoding="ascii") as file:
            file.write("Picket.Test.Later:0:*:" + b"only the next definitions know this text".hex() + "\n")
        self.world.point_definitions("g1")
        self.world.point_definitions("g2")
        wait_for(lambda: self.world.health()["definitions_version"] == "g2", "the new definitions")
        self.assertIn(wait_for(lambda: self.world.open_errno(path), "a denied open"), (errno.EPERM, errno.ENOENT))

    def test_fifty_openers_of_one_cold_file(self):
        self.world.write("shared", os.urandom(1 << 20))
        time.sleep(0.1)
        failures = []

        def opener():
            try:
                with open(self.world.path("shared"), "rb"):
                    pass
            except OSError as error:
                failures.append(error)

        threads = [threading.Thread(target=opener) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        self.assertEqual(failures, [])

    def test_the_self_test_file_raises_no_alert(self):
        client = self.world.rpc()
        path = self.world.path("selftest")
        writer = open(path, "wb", buffering=0)
        reader = os.open(path, os.O_RDONLY)
        client.result("selftest.begin", {}, [reader])
        os.close(reader)
        writer.write(eicar())
        self.assertEqual(self.world.open_errno(path), errno.EPERM)
        writer.close()
        self.gone(path)
        result = wait_for(lambda: (lambda r: r if r["quarantined"] else None)(client.result("selftest.result")), "the result")
        self.assertTrue(result["blocked"])
        self.assertNotIn(path, [threat["path"] for threat in client.result("threat.list")["threats"]])
        self.assertIn("selftest", [event["origin"] for event in self.world.events("threat.blocked")])
        client.close()


class Events(unittest.TestCase):
    """What is recorded, wherever it is shown, is what was; and a record that is touched shows."""

    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)
        self.journal = self.receiver("run/systemd/journal/socket")
        self.syslog = self.receiver("run/log")
        self.world.write_profile({"events": {"syslog": {"target": "unix:/run/log", "facility": "local0"}}})
        wait_for(lambda: b"profile.changed" in b"".join(self.syslog.datagrams), "syslog")

    def receiver(self, name):
        receiver = Receiver(os.path.join(self.world.root, name))
        self.addCleanup(receiver.close)
        return receiver

    def hostile_paths(self):
        top = self.world.watched.encode()
        deep = top
        while len(deep) < 3700:
            deep += b"/" + b"\xffd\n" + b"d" * 200
        os.makedirs(deep)
        return [top + b"/" + name for name in (b"line\nPRIORITY=0\nfeed", b"\x1b]0;owned\x07\x1b[2J", b"\xe2\x80\xaetxt.exe",
                                              b"\xff\xfe\xc0\x80", b'"quoted"] [x@1 y="\\"]')] + [
                    deep + b"/" + b"n" * min(255, 4094 - len(deep) - 1)]

    def picket(self, *arguments):
        return subprocess.run([os.path.join(PROGRAMS, "picket"), *arguments, "--socket", self.world.socket_path("control")],
                              capture_output=True, check=False)

    def stored_paths(self):
        database = sqlite3.connect(os.path.join(self.world.root, "var/lib/picket/state.db"))
        try:
            return [row[0] for row in database.execute("SELECT path FROM events WHERE type = 'threat.quarantined'")]
        finally:
            database.close()

    def taken_away(self, parse, datagrams, path, kind):
        fields = [parse(datagram) for datagram in list(datagrams)]
        return [entry.get(path) for entry in fields if entry.get(kind) == b"threat.quarantined"]

    def test_hostile_names_are_one_record_everywhere_and_come_back_byte_for_byte(self):
        paths = self.hostile_paths()
        for path in paths:
            with open(path, "wb") as file:
                file.write(eicar())
            wait_for(lambda path=path: not os.path.exists(path), f"quarantine of {path[-60:]}")

        def path_of(event):
            return base64.b64decode(event["path_b64"]) if "path_b64" in event else event["path"].encode()

        # Found or blocked, as its writer or somebody else came first: taken away it is once.
        events = wait_for(lambda: (lambda e: e if len(e) == len(paths) else None)(self.world.events("threat.quarantined")),
                          lambda: f"{len(paths)} events, but: {self.world.events()}")
        self.assertEqual(list(map(path_of, events)), paths)
        for event in events:
            self.assertEqual(event["event_id"], f"{self.world.health()['machine_id']}-{event['sequence']}")
            self.assertRegex(event["digest"], "^[0-9a-f]{64}$")
            self.assertGreater(event["monotonic_ms"], 0)
            self.assertTrue(event["boot_id"])
        self.assertEqual(self.stored_paths(), paths)
        listed = json.loads(self.picket("event", "list", "--type", "threat.quarantined", "--output", "json").stdout)
        self.assertEqual(list(map(path_of, listed["data"]["events"])), paths)
        for output in ("text", "table"):
            shown = self.picket("event", "list", "--type", "threat.quarantined", "--output", output)
            self.assertEqual(shown.returncode, 0, shown.stderr)
            text = shown.stdout.decode()  # it must be UTF-8
            self.assertEqual([c for c in text if c != "\n" and (ord(c) < 32 or c == "\u202e")], [])
            if output == "table":
                self.assertEqual(len(text.splitlines()), 1 + len(events))
        wait_for(lambda: len(self.taken_away(journal_fields, self.journal.datagrams, "PICKET_PATH", "PICKET_EVENT_TYPE")) == len(events),
                 "the journal's records")
        self.assertEqual(self.taken_away(journal_fields, self.journal.datagrams, "PICKET_PATH", "PICKET_EVENT_TYPE"), paths)
        self.assertEqual(self.taken_away(syslog_fields, self.syslog.datagrams, "path", "type"), paths)
        for datagram in self.syslog.datagrams:
            self.assertLessEqual(len(datagram), 8000)
            self.assertNotIn(b"\n", datagram)
        statistics = self.world.health()["statistics"]
        self.assertEqual((statistics["events_dropped_journal"], statistics["events_dropped_syslog"]), (0, 0))

    def test_a_stopped_log_reader_holds_nobody_and_its_losses_are_counted(self):
        silent = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)  # nobody reads: its queue fills and stays full
        silent.bind(os.path.join(self.world.root, "run/silent"))
        silent.settimeout(0)
        self.addCleanup(silent.close)
        self.world.write_profile({"events": {"syslog": {"target": "unix:/run/silent"}}})
        for i in range(20):
            client = self.world.rpc()
            client.result("exclusion.add", {"type": "file", "value": self.world.path(f"x{i}")})
            client.close()
        start = time.monotonic()
        writer = self.world.write("eicar", eicar(), close=False)
        self.assertEqual(self.world.open_errno(self.world.path("eicar")), errno.EPERM)
        writer.close()
        self.assertLess(time.monotonic() - start, 5)
        wait_for(lambda: self.world.events("threat.quarantined"), "the quarantine")
        statistics = self.world.health()["statistics"]
        self.assertGreater(statistics["events_dropped_syslog"], 0)
        self.assertEqual(statistics["events_dropped_journal"], 0)

    def test_a_touched_record_is_named(self):
        self.world.write("eicar", eicar())
        wait_for(lambda: self.world.events("threat.quarantined"), "the quarantine")
        whole = self.picket("event", "verify")
        self.assertEqual(whole.returncode, 0, whole)
        self.assertIn(b"true", whole.stdout)
        victim = self.world.events("threat.quarantined")[0]["sequence"]
        self.world.end("gate", signal.SIGTERM)
        database = sqlite3.connect(os.path.join(self.world.root, "var/lib/picket/state.db"))
        database.execute("UPDATE events SET path = CAST('/else' AS BLOB) WHERE sequence = ?", (victim,))
        database.commit()
        database.close()
        self.world.start_gate()
        broken = self.picket("event", "verify", "--output", "json")
        self.assertEqual(broken.returncode, 1, broken)
        answer = json.loads(broken.stdout)["data"]
        self.assertEqual((answer["whole"], answer["sequence"], answer["reason"]), (False, victim, "changed"))


class SecondProductWorld(World):
    """Before the gate starts, this process marks a tmpfs that nobody uses, as another product would."""

    def start_gate(self):
        other = self._directory("other", 0o755)
        self._mount(other, "mode=755")
        group = LIBC.fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, os.O_RDONLY)
        mask = ctypes.c_uint64(FAN_OPEN_PERM)
        if group < 0 or LIBC.fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_MOUNT, mask, -100, other.encode()) != 0:
            raise OSError(ctypes.get_errno(), "fanotify")
        self.group = group
        super().start_gate()

    def close(self):
        os.close(self.group)
        LIBC.umount2(os.path.join(self.base, "other").encode(), 2)
        super().close()


class Conflict(unittest.TestCase):
    def test_a_second_product_is_named(self):
        world = SecondProductWorld()
        try:
            def conflict():
                found = world.health()
                return found if any(f"pid {os.getpid()}" in name for name in found["conflicting_applications"]) else None

            health = wait_for(conflict, "the conflict")
            self.assertIn("conflicting_product", [issue["name"] for issue in health["health_issues"]])
        finally:
            world.close()


class Faults(unittest.TestCase):
    """Each breaks something and sees it end in the documented action, and protection come back."""

    def setUp(self):
        self.world = World()

    def tearDown(self):
        self.world.close()

    def timed_open(self, name):
        start = time.monotonic()
        result = self.world.open_errno(self.world.path(name))
        return result, time.monotonic() - start

    def assert_protects_again(self):
        self.world.wait_protected()
        writer = self.world.write("again", eicar(), close=False)
        self.assertEqual(self.world.open_errno(self.world.path("again")), errno.EPERM)
        writer.close()

    def reasons(self):
        return [event.get("reason") for event in self.world.events("open.allowed_unscanned")]

    def test_engine_killed(self):
        self.world.write("file", b"clean" * 10)
        self.world.end("engine")
        result, seconds = self.timed_open("file")
        self.assertEqual(result, 0)
        self.assertLess(seconds, 5)
        wait_for(lambda: "no_engine" in self.reasons(), "the event")
        wait_for(lambda: not self.world.health()["real_time_protection_active"], "health to say so")
        self.world.start_engine()
        self.assert_protects_again()

    def test_engine_stopped_is_ended_by_the_guard(self):
        self.world.write("file", b"clean" * 10)
        engine = self.world.processes["engine"]
        for pid in tree_of(engine.pid):
            os.kill(pid, signal.SIGSTOP)
        result, seconds = self.timed_open("file")
        self.assertEqual(result, 0)
        self.assertLess(seconds, 10)
        engine.wait(20)  # the guard's SIGKILL
        self.assertEqual(engine.returncode, -signal.SIGKILL)
        self.world.start_engine()
        self.assert_protects_again()

    def test_worker_killed_in_the_middle_is_replaced(self):
        engine = self.world.processes["engine"]
        for _ in range(5):
            for pid in tree_of(engine.pid):
                if pid != engine.pid and not children_of(pid):
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
            self.world.write("file", os.urandom(1000))
            self.assertEqual(self.timed_open("file")[0], 0)
        self.assert_protects_again()

    def test_gate_killed_with_a_thousand_opens_waiting(self):
        engine = self.world.processes["engine"]
        for i in range(1000):
            self.world.write(f"f{i}", f"content {i}".encode())
        for pid in tree_of(engine.pid):
            os.kill(pid, signal.SIGSTOP)
        started = threading.Barrier(1001)
        done = []

        def opener(i):
            started.wait()
            try:
                os.close(os.open(self.world.path(f"f{i}"), os.O_RDONLY))
                done.append(i)
            except OSError:
                pass

        threads = [threading.Thread(target=opener, args=(i,), daemon=True) for i in range(1000)]
        for thread in threads:
            thread.start()
        started.wait()
        self.world.end("gate")
        for thread in threads:
            thread.join(10)
        self.assertEqual(len(done), 1000)
        self.world.end("engine")
        self.world.start_gate()
        self.world.start_engine()
        self.assert_protects_again()

    def test_gate_stopped_is_ended_by_the_guard(self):
        gate = self.world.processes["gate"]
        self.world.write("file", b"clean")
        os.kill(gate.pid, signal.SIGSTOP)
        result, seconds = self.timed_open("file")
        self.assertEqual(result, 0)
        self.assertLess(seconds, 15)
        gate.wait(15)
        self.assertEqual(gate.returncode, -signal.SIGKILL)
        self.world.start_gate()
        self.assert_protects_again()
        self.assertEqual(wait_for(lambda: self.world.events("gate.killed"), "the event")[0]["count"], 1)

    def test_guard_killed_is_said_and_comes_back(self):
        self.world.end("guard")
        wait_for(lambda: "guard_absent" in [i["name"] for i in self.world.health()["health_issues"]], "the issue")
        os.unlink(self.world.socket_path("guard"))
        self.world.start_guard()
        wait_for(lambda: self.world.health()["guarded"], "a new guard")
        self.assert_protects_again()

    def test_definitions_deleted_leave_the_loaded_ones_in_force(self):
        current = os.path.join(self.world.root, "var/lib/picket/definitions/current")
        os.unlink(current)
        wait_for(lambda: "definitions_reload_failed" in [i["name"] for i in self.world.health()["health_issues"]], "the issue")
        self.assert_protects_again()
        self.world.point_definitions("g1")
        wait_for(lambda: self.world.health()["definitions_status"] == "up_to_date", "the end of the issue")

    def test_new_definitions_are_taken_up_without_a_gap(self):
        target = self.world._definitions("g2")
        with open(os.path.join(target, "more.ndb"), "w", encoding="ascii") as file:
            file.write("Picket.Test.Marker:0:*:" + b"picket-test-marker-7c1f".hex() + "\n")
        self.world.point_definitions("g1")
        self.world.point_definitions("g2")
        wait_for(lambda: self.world.health()["definitions_version"] == "g2", "the new generation")
        writer = self.world.write("marker", b"xx picket-test-marker-7c1f yy", close=False)
        self.assertEqual(self.world.open_errno(self.world.path("marker")), errno.EPERM)
        writer.close()

    def test_remedy_absent_blocks_all_the_same(self):
        self.world.end("remedy")
        os.unlink(self.world.socket_path("remedy"))
        writer = self.world.write("eicar", eicar(), close=False)
        self.assertEqual(self.world.open_errno(self.world.path("eicar")), errno.EPERM)
        writer.close()
        wait_for(lambda: self.world.events("quarantine.failed"), "the event")
        self.assertTrue(os.path.exists(self.world.path("eicar")))
        self.assertEqual(self.world.open_errno(self.world.path("eicar")), errno.EPERM)

    def many(self, directory, count):
        """So many files with malware, each another content."""
        before = self.world.health()["profile_generation"]
        self.world.write_profile({"quarantine": {"maximumPerMinute": 0}})
        wait_for(lambda: self.world.health()["profile_generation"] != before, "the profile without the brake")
        os.makedirs(directory)
        names = [f"{directory}/{number}" for number in range(count)]
        for name in names:
            with open(name, "wb") as file:
                file.write(eicar() + name.encode())
        return names

    def lost(self):
        return [issue for issue in self.world.health()["health_issues"] if issue["name"] == "records_lost"]

    def test_the_number_of_workers_follows_the_profile_and_goes_back(self):
        for wanted, shown in ((4, 4), (0, 2), (1, 1)):
            self.world.write_profile({"engine": {"workers": wanted}})
            wait_for(lambda count=shown: self.world.health()["engine_workers"] == count, f"{shown} workers")

    def test_no_record_waits_for_a_remedy_that_hangs(self):
        remedy = self.world.processes["remedy"]
        os.kill(remedy.pid, signal.SIGSTOP)
        try:
            names = self.many(self.world.path("many"), 1100) # more than may wait to be taken away
            for name in names:
                self.assertEqual(self.world.open_errno(name), errno.EPERM)
            client = self.world.rpc()
            wait_for(lambda: {threat["path"] for threat in client.result("threat.list", {"limit": 5000})["threats"]} == set(names),
                     "a record of each")
            client.close()
            self.assertIn("busy", [event["reason"] for event in self.world.events("quarantine.failed")])
            self.assertEqual(self.lost(), [])
        finally:
            os.kill(remedy.pid, signal.SIGCONT)
        wait_for(lambda: self.world.events("threat.quarantined"), "what waited is taken away")

    def test_a_scan_waits_for_what_it_found_to_be_taken_away(self):
        place = os.path.join(self.world.base, "unwatched")
        self.many(place, 1500)
        client = self.world.rpc()
        directory = os.open(place, os.O_RDONLY)
        client.result("scan.start", {"kind": "custom", "path": place, "follow": True}, [directory])
        os.close(directory)
        wait_for(lambda: not os.listdir(place), "all of them are gone")
        self.assertEqual(self.world.events("quarantine.failed"), [])
        self.assertEqual(self.lost(), [])

    def test_nobody_else_holds_the_group(self):
        holders = set()
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                for fd in os.listdir(f"/proc/{entry}/fd"):
                    if os.readlink(f"/proc/{entry}/fd/{fd}") == "anon_inode:[fanotify]":
                        holders.add(int(entry))
            except OSError:
                continue
        ours = {process.pid for process in self.world.processes.values()}
        ours |= {child for pid in list(ours) for child in tree_of(pid)}
        self.assertEqual(holders & ours, {self.world.processes["gate"].pid})

    def test_levels(self):
        self.world.write_profile({"antivirusEngine": {"enforcementLevel": "audit"}})
        wait_for(lambda: self.world.health()["enforcement_level"] == "audit", "the level")
        self.world.write("eicar", eicar())
        self.assertEqual(self.world.open_errno(self.world.path("eicar")), 0)
        wait_for(lambda: [event for event in self.world.events("threat.detected") if event.get("reason") == "audit"],
                 "the report of what would have been denied")
        self.assertTrue(os.path.exists(self.world.path("eicar")))
        wait_for(lambda: self.world.health()["statistics"]["would_have_denied"] >= 1, "its count")
        client = self.world.rpc()
        answer = client.call("config.set", {"name": "enforcement-level", "value": "passive"})
        self.assertEqual(answer["error"]["data"]["name"], "managed")
        client.close()
        self.world.write_profile({"antivirusEngine": {"enforcementLevl": "passive"}})
        wait_for(lambda: self.world.health()["profile_status"] == "last_good", "the refusal")
        health = self.world.health()
        self.assertEqual(health["enforcement_level"], "audit")
        self.assertIn("enforcementLevel", json.dumps(health["health_issues"]))
        self.world.write_profile({})
        wait_for(lambda: self.world.health()["enforcement_level"] == "real_time", "the default")
        wait_for(lambda: self.world.open_errno(self.world.path("eicar")) == errno.EPERM, "denial again")


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("SKIP: needs root (fanotify, mount)")
        sys.exit(77)
    unittest.main(verbosity=2)
