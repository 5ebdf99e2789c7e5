#!/usr/bin/env python3
"""What an administrator sees and sets on one host: proofs of protection, scans, tags, numbers, rights."""

import ctypes
import errno
import fcntl
import json
import os
import pty
import re
import signal
import sqlite3
import struct
import subprocess
import termios
import time
import unittest

from picket_world import ENGINE_UID, LIBC, PROGRAMS, Rpc, World, eicar, wait_for

CHECKOUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
SYS_PIDFD_OPEN, SYS_PIDFD_GETFD = 434, 438
FAN_MARK_REMOVE, FAN_MARK_FLUSH, FAN_MARK_FILESYSTEM = 0x2, 0x80, 0x100


def group_of(pid):
    """A copy of the daemon's group descriptor: what only root can take."""
    for entry in os.listdir(f"/proc/{pid}/fd"):
        try:
            if "fanotify" in os.readlink(f"/proc/{pid}/fd/{entry}"):
                process = LIBC.syscall(SYS_PIDFD_OPEN, pid, 0)
                try:
                    return LIBC.syscall(SYS_PIDFD_GETFD, process, int(entry), 0)
                finally:
                    os.close(process)
        except OSError:
            continue
    raise AssertionError("the daemon holds no group")


class Host(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.world = World()

    def tearDown(self):
        self.world.close()

    def picket(self, *arguments, **options):
        return subprocess.run([os.path.join(PROGRAMS, "picket"), "--socket", self.world.socket_path("control"), *arguments],
                              capture_output=True, text=True, timeout=120, check=False, **options)

    def data(self, *arguments):
        done = self.picket(*arguments, "--output", "json")
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return json.loads(done.stdout)["data"]

    def issues(self):
        return [issue["name"] for issue in self.world.health()["health_issues"]]

    # --- proofs

    def test_a_mark_that_was_taken_away_is_noticed_and_set_again(self):
        self.world.write("canary", b"any small file")
        self.assertNotIn("protection_unproved", self.issues())

        def unmark():
            group = group_of(self.world.processes["gate"].pid)
            taken = LIBC.fanotify_mark(group, FAN_MARK_FLUSH | FAN_MARK_FILESYSTEM, ctypes.c_uint64(0), -100, None)
            os.close(group)
            self.assertEqual(taken, 0, os.strerror(ctypes.get_errno()))

        # Somebody else's mount on this machine has all of them entered anew: then nothing is missing before it was noticed.
        for _ in range(30):
            unmark()
            start = time.monotonic()
            self.world.write("mended", eicar())
            noticed = wait_for(lambda: "issue" if "protection_unproved" in self.issues() else
                               "mended" if self.world.open_errno(self.world.path("mended")) else None, "the issue", 60)
            if noticed == "issue":
                break
        self.assertFalse(self.world.health()["real_time_protection_active"])
        self.assertLess(time.monotonic() - start, 60)
        wait_for(lambda: "protection_unproved" not in self.issues(), "its end")
        self.world.wait_protected()
        writer = self.world.write("again", eicar(), close=False)
        self.assertEqual(self.world.open_errno(self.world.path("again")), errno.EPERM)
        writer.close()
        self.assertIn("protection_unproved", [event.get("reason") for event in self.world.events("filesystem.unmarked")])

    def test_metrics_tell_what_health_tells(self):
        path = os.path.join(self.world.root, "var/lib/picket/metrics/picket.prom")

        def text():
            try:
                with open(path, encoding="utf-8") as file:
                    return file.read()
            except FileNotFoundError:
                return ""

        self.world.write("opened", b"once")
        self.world.open_errno(self.world.path("opened"))
        wait_for(lambda: re.search(r"(?m)^picket_events_total [1-9]", text()), "a metrics file")
        self.assertIn("picket_real_time_protection_active 1", text())
        self.assertIn('picket_health_issue{name="not_onboarded"} 1', text())
        for line in text().splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) .+|[a-z_]+(\{[a-z_]+="[^"]*"\})? [0-9]+)$')
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o644)
        self.world.end("engine")
        wait_for(lambda: "picket_real_time_protection_active 0" in text(), "the loss of the engine")

    def test_a_full_disk_is_said_and_takes_no_protection(self):
        wait_for(lambda: "disk_full" not in self.issues(), "a quiet start")
        used = os.statvfs(self.world.base)
        size = (used.f_blocks - used.f_bfree) * used.f_frsize + (1 << 20)
        subprocess.run(["mount", "-o", f"remount,size={size}", self.world.base], check=True)
        wait_for(lambda: "disk_full" in self.issues(), "the issue")
        self.assertTrue(self.world.health()["real_time_protection_active"])
        writer = self.world.write("eicar", eicar(), close=False)
        self.assertEqual(self.world.open_errno(self.world.path("eicar")), errno.EPERM)
        writer.close()
        subprocess.run(["mount", "-o", "remount,size=1g", self.world.base], check=True)
        wait_for(lambda: "disk_full" not in self.issues(), "its end")

    # --- scans

    def fill(self, folders=20, files=100):
        for folder in range(folders):
            os.makedirs(self.world.path(f"tree/{folder:03}"), exist_ok=True)
            for file in range(files):
                self.world.write(f"tree/{folder:03}/{file:03}", f"{folder} {file}\n".encode() * 20)

    def scans(self):
        client = self.world.rpc()
        try:
            return client.result("scan.list")["scans"]
        finally:
            client.close()

    def start_scan(self, path):
        client = self.world.rpc()
        descriptor = os.open(path, os.O_PATH)
        try:
            return client.result("scan.start", {"kind": "custom", "path": path}, [descriptor])["scan_id"]
        finally:
            os.close(descriptor)
            client.close()

    def interrupted_scan(self, end_the_gate):
        self.fill(100)
        scan = self.start_scan(self.world.path("tree"))
        wait_for(lambda: self.scans()[0]["files_scanned"] > 20, "a scan under way")
        end_the_gate()
        self.world.start_gate()
        self.world.start_engine()
        self.world.wait_protected()
        wait_for(lambda: self.scans()[0]["status"] == "finished", "the end of the scan", 60)
        record = self.scans()[0]
        self.assertEqual(record["scan_id"], scan)
        self.assertEqual(record["interruptions"], 1)
        # Each file at least once, and only those in flight or since the last saved position twice.
        self.assertGreaterEqual(record["files_scanned"], 10000)
        return record

    def stop_gate(self, number):
        self.world.end("gate", number)
        self.world.end("engine", signal.SIGTERM)

    def test_a_scan_goes_on_after_a_restart(self):
        record = self.interrupted_scan(lambda: self.stop_gate(signal.SIGTERM))
        self.assertLess(record["files_scanned"], 10100)

    def test_a_scan_goes_on_after_the_gate_was_killed(self):
        self.interrupted_scan(lambda: self.stop_gate(signal.SIGKILL))

    def test_a_missed_scheduled_scan_is_made_up_for(self):
        minute = (time.localtime().tm_hour * 60 + time.localtime().tm_min) % 1440
        self.world.write_profile({"antivirusEngine": {"scheduledScan": "enabled"},
                                  "scheduledScan": {"dailyConfiguration": {"timeOfDay": minute}, "randomizeScanStartTime": 0,
                                                    "ignoreExclusions": True}}, "60-schedule.json")
        fact = "CAST(key AS TEXT) LIKE '%scheduled_scan.daily_quick'"
        database = os.path.join(self.world.root, "var/lib/picket/state.db")

        def last():
            with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
                row = connection.execute(f"SELECT value FROM facts WHERE {fact}").fetchone()
            return row and row[0]

        wait_for(last, "the first look at the schedule", 40)
        self.assertEqual(self.scans(), [], "a schedule that is new has missed nothing")
        self.stop_gate(signal.SIGTERM)
        with sqlite3.connect(database) as connection:
            connection.execute(f"UPDATE facts SET value = CAST(? AS BLOB) WHERE {fact}",
                               (str(int(time.time()) - 3 * 86400),))
        connection.close()
        self.world.start_gate()
        self.world.start_engine()
        self.world.wait_protected()
        wait_for(self.scans, "the scan that was missed", 40)
        scan = self.scans()[0]
        self.assertEqual((scan["kind"], scan["origin"]), ("quick", "scheduled"))
        self.assertEqual(self.picket("scan", "cancel").returncode, 0)

    def test_progress_knows_its_end(self):
        self.fill(4)
        client = self.world.rpc()
        descriptor = os.open(self.world.path("tree"), os.O_PATH)
        client.result("scan.start", {"kind": "custom", "path": self.world.path("tree"), "follow": True}, [descriptor])
        os.close(descriptor)
        seen = []
        while not seen or seen[-1]["method"] != "scan.finished":
            if client.notifications:
                seen.append(client.notifications.pop(0))
            else:
                seen.append(json.loads(client.socket.recv(1 << 20)))
        client.close()
        last = [message["params"] for message in seen if message["method"] == "scan.progress"][-1]
        self.assertEqual(last["files_total"], 400)
        self.assertEqual(last["files_visited"], 400)

    # --- what is set

    def test_tags_and_log_level(self):
        self.assertEqual(self.picket("tag", "set", "--name", "site", "--value", "berlin").returncode, 0)
        self.assertEqual(self.data("tag", "list"), {"tags": {"site": "berlin"}})
        self.assertEqual(self.world.health()["tags"], {"site": "berlin"})
        bad = self.picket("tag", "set", "--name", "1", "--value", "x")
        self.assertEqual(bad.returncode, 2)
        self.assertIn("letter", bad.stderr)
        self.assertEqual(self.picket("tag", "remove", "--name", "site").returncode, 0)
        self.assertEqual(self.data("tag", "list"), {"tags": {}})
        self.assertEqual(self.picket("log", "level", "set", "--level", "error").returncode, 0)
        wait_for(lambda: self.world.health()["log_level"] == "error", "the level")
        self.assertEqual(self.data("log", "level", "show")["settings"][0]["value"], "error")

    def test_profiles_are_explained_compared_and_rendered(self):
        managed = os.path.join(self.world.root, "etc/picket/managed.d/70-central.json")
        with open(managed, "w", encoding="utf-8") as file:
            file.write('{\n "antivirusEngine": {\n  "maximumOnDemandScanThreads": 7\n }\n}\n')
        os.chmod(managed, 0o644)
        wait_for(lambda: managed in self.world.health()["profile_sources"], "the profile")
        key = self.data("profile", "explain", "maximum-on-demand-scan-threads")["keys"][0]
        self.assertEqual((key["value"], key["layer"], key["file"], key["line"]), (7, "managed", managed, 3))
        self.assertEqual([other["value"] for other in key["overrides"]], [2])
        unknown = self.picket("profile", "explain", "antivirusEngine.scanArchive")
        self.assertEqual(unknown.returncode, 2)
        self.assertIn("scanArchives", unknown.stderr)
        authored = self.world.path("new.yaml")
        with open(authored, "w", encoding="utf-8") as file:
            file.write("antivirusEngine:\n  maximumOnDemandScanThreads: 8 # more\n")
        rendered = self.picket("profile", "render", authored)
        self.assertEqual(json.loads(rendered.stdout), {"antivirusEngine": {"maximumOnDemandScanThreads": 8}})
        differing = self.picket("profile", "diff", authored, "--running")
        self.assertEqual(differing.returncode, 1)
        self.assertRegex(differing.stdout, r"maximumOnDemandScanThreads\s+8\s+7")
        self.assertEqual(self.picket("profile", "diff", managed, managed).returncode, 0)
        with open(authored, "a", encoding="utf-8") as file:
            file.write("  scanArchive: true\n")
        self.assertEqual(self.picket("profile", "render", authored).returncode, 41)

    def test_statistics_name_who_opens_what(self):
        self.world.write("busy", b"opened again and again")
        os.chown(self.world.path("busy"), 12345, -1)  # about a file of root's the kernel would soon ask no more
        for _ in range(400):
            self.world.open_errno(self.world.path("busy"))
        statistics = self.data("diagnostic", "real-time-protection-statistics", "--top", "3")
        self.assertGreaterEqual(statistics["counters"]["events"], 400)
        self.assertEqual(statistics["files"][0]["path"], self.world.path("busy"))
        self.assertEqual(statistics["processes"][0]["process"], os.path.realpath("/proc/self/exe"))
        self.assertIn("busy", self.picket("diagnostic", "hot-event-sources", "files").stdout)
        self.assertIn("python", self.picket("diagnostic", "hot-event-sources", "executables").stdout)

    def test_top_fits_a_terminal_of_80_columns(self):
        self.world.write("x" * 200, b"a long name")
        os.chown(self.world.path("x" * 200), 12345, -1)
        for _ in range(100):
            self.world.open_errno(self.world.path("x" * 200))
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(os.path.join(PROGRAMS, "picket"),
                     ["picket", "top", "--iterations", "2", "--socket", self.world.socket_path("control")])
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        shown = b""
        while True:
            try:
                shown += os.read(terminal, 65536)
            except OSError:
                break
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
        picture = shown.decode().split("\x1b[H")[-1]
        lines = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", picture).replace("\r", "").split("\n")
        self.assertLessEqual(max(len(line) for line in lines), 80)
        self.assertLessEqual(len(lines), 24)
        self.assertIn("picket top", lines[0])
        self.assertTrue(any("opens/s" in line for line in lines))
        self.assertTrue(any("xxx" in line for line in lines))

    # --- who may what

    def published_rights(self):
        with open(os.path.join(CHECKOUT, "docs/control-protocol.md"), encoding="utf-8") as file:
            rows = re.findall(r"^\| `([a-z_.]+)`((?: / `[a-z_.]+`)*) \| (any|root) \|", file.read(), re.M)
        rights = {}
        for first, others, who in rows:
            rights[first] = who
            for other in re.findall(r"`([a-z_.]+)`", others):
                rights[first.rsplit(".", 1)[0] + other if other.startswith(".") else other] = who
        return rights

    def test_every_user_and_verb(self):
        client = self.world.rpc()
        methods = client.result("hello", {"client": "test", "protocol": 1})["methods"]
        client.close()
        self.assertEqual(self.published_rights(), methods, "docs/control-protocol.md is what the daemon does")
        for uid in (1, ENGINE_UID, 65534):
            refused = self.refused_to(uid, methods)
            self.assertEqual(refused, {method for method, who in methods.items() if who == "root"}, uid)
        # Root is refused for what it says, never for who it is.
        self.assertEqual(self.refused_to(0, [method for method in methods if method != "event.follow"]), set())

    def refused_to(self, uid, methods):
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.setgroups([])
                os.setgid(uid)
                os.setuid(uid)
                refused = []
                for method in methods:
                    client = Rpc(self.world.socket_path("control"))
                    answer = client.call(method, {"no_such_parameter": 1})
                    if answer["error"]["data"]["name"] == "needs_root":
                        refused.append(method)
                    client.close()
                os.write(writing, json.dumps(refused).encode())
                os._exit(0)
            finally:
                os._exit(1)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            text = pipe.read()
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
        return set(json.loads(text))


if __name__ == "__main__":
    unittest.main(verbosity=2)
