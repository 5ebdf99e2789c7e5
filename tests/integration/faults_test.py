#!/usr/bin/env python3
"""What must not happen to a host, whatever goes wrong: no open waits longer than its deadline and a moment, and protection
is there again when the cause is gone. The rows: docs/faults.md."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
import unittest

from picket_world import World, eicar, tree_of, wait_for

DEADLINE = 1.0
MOMENT = 4.0  # of a busy machine
FLOOD, OTHERS = 3500, 20
OPENERS, THREADS = 5000, 100


def flood(paths, uid, go_reader, go_writer, results):
    """In a process of its own: opens each path on a thread of its own."""
    os.close(go_writer)
    os.setresuid(uid, uid, uid)
    times = []

    def opener(path):
        start = time.monotonic()
        try:
            os.close(os.open(path, os.O_RDONLY))
        except OSError:
            return
        times.append(time.monotonic() - start)

    threading.stack_size(64 << 10)
    threads = [threading.Thread(target=opener, args=(path,), daemon=True) for path in paths]
    os.read(go_reader, 1)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(results, "".join(f"{each}\n" for each in times).encode())
    os._exit(0)


class Faults(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)
        self.profile({"realTimeProtection": {"openDeadlineMs": int(DEADLINE * 1000)}}, "50-test.json")

    def hurry(self):
        """The gate's thread goes first, as its unit allows it (LimitRTPRIO=1): a program may not give itself that here."""
        gate = self.world.processes["gate"].pid
        for thread in os.listdir(f"/proc/{gate}/task"):
            with open(f"/proc/{gate}/task/{thread}/comm", encoding="ascii") as file:
                if file.read().strip() == "picket-gate":
                    os.sched_setscheduler(int(thread), os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))

    def stop(self, *names):
        for name in names:
            for pid in tree_of(self.world.processes[name].pid):
                os.kill(pid, signal.SIGSTOP)

    def wake(self, *names):
        for name in names:
            for pid in tree_of(self.world.processes[name].pid):
                os.kill(pid, signal.SIGCONT)

    def assert_protects(self):
        self.world.wait_protected()
        writer = self.world.write("again", eicar(), close=False)
        self.assertEqual(wait_for(lambda: self.world.open_errno(self.world.path("again")), "a denied open"), errno.EPERM)
        writer.close()

    def assert_opens_in_time(self, path):
        start = time.monotonic()
        self.assertIn(self.world.open_errno(path), (0, errno.EPERM))
        self.assertLess(time.monotonic() - start, DEADLINE + MOMENT)

    def profile(self, document, name="60-more.json"):
        before = self.world.health()["profile_generation"]
        self.world.write_profile(document, name)
        wait_for(lambda: self.world.health()["profile_generation"] != before, "the profile")

    def write_unseen(self, files):
        """Nobody has judged them when they are opened next."""
        self.profile({"antivirusEngine": {"enforcementLevel": "passive"}})
        for path, content in files.items():
            with open(path, "wb") as file:
                file.write(content)
        self.profile({})

    def start_flood(self, count, uid=0):
        """Processes whose threads open f0, f1 … all at once; gives them, and what tells how long each open took."""
        reader, writer = os.pipe()
        go_reader, go_writer = os.pipe()
        processes = []
        for first in range(0, count, THREADS):
            process = os.fork()
            if process == 0:
                flood([self.world.path(f"f{n}") for n in range(first, min(first + THREADS, count))], uid, go_reader, go_writer, writer)
            processes.append(process)
        os.close(writer)
        os.close(go_reader)
        os.close(go_writer)  # every process waits for the last of these ends to be closed
        return processes, reader

    def test_one_users_flood_of_opens_does_not_hold_up_another(self):
        bad = [self.world.path(f"bad-{number}") for number in range(OTHERS)]
        self.write_unseen({**{self.world.path(f"f{n}"): b"%d " % n * 20_000 for n in range(FLOOD)}, **dict.fromkeys(bad, eicar())})
        self.hurry()
        processes, reader = self.start_flood(FLOOD, uid=1234)
        try:
            wait_for(lambda: self.world.health()["held_opens"] > 100, "a queue")
            for path in bad:
                self.assertEqual(self.world.open_errno(path), errno.EPERM, path)
            self.assertGreater(self.world.health()["held_opens"], 0, "the flood was over too early to show anything")
        finally:
            for process in processes:
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
            os.close(reader)
        self.assert_protects()

    def test_five_thousand_openers_at_once_all_get_their_answer(self):
        self.write_unseen({self.world.path(f"f{n}"): b"content %d" % n for n in range(OPENERS)})
        self.stop("engine")
        self.hurry()
        processes, reader = self.start_flood(OPENERS)
        with os.fdopen(reader, encoding="ascii") as file:
            times = [float(line) for line in file]
        for process in processes:
            os.waitpid(process, 0)
        self.assertEqual(len(times), OPENERS)
        self.assertLess(max(times), DEADLINE + 2 * MOMENT)
        wait_for(lambda: self.world.health()["held_opens"] == 0, "the end of what is held")
        statistics = self.world.health()["statistics"]
        self.assertGreater(statistics["allowed_unscanned"], 0)
        self.assertEqual(statistics["lost"], 0)
        self.world.end("engine")
        self.world.start_engine()
        self.assert_protects()

    def test_an_engine_that_is_killed_in_a_loop(self):
        for number in range(10):
            self.world.write(f"f{number}", b"content %d" % number)
            self.world.end("engine")
            self.assert_opens_in_time(self.world.path(f"f{number}"))
            self.world.start_engine()
            self.assert_opens_in_time(self.world.path(f"f{number}"))
        self.assert_protects()

    def test_an_engine_takes_over_from_one_that_stands_still(self):
        self.world.write("file", b"content")
        self.stop("engine")
        old = self.world.processes.pop("engine")
        try:
            self.world.start_engine()
            self.assert_protects()
            self.assertIsNone(self.world.processes["engine"].poll(), "the new one was ended for the old one")
        finally:
            for pid in tree_of(old.pid):
                os.kill(pid, signal.SIGKILL)
            old.wait()

    def test_everything_wrong_at_once_costs_no_open_more_than_its_deadline(self):
        used = os.statvfs(self.world.base)
        size = (used.f_blocks - used.f_bfree) * used.f_frsize + (64 << 10)
        for number in range(10):
            self.world.write(f"f{number}", b"content %d" % number)
        self.stop("engine", "remedy")
        subprocess.run(["mount", "-o", f"remount,size={size}", self.world.base], check=True)
        os.unlink(os.path.join(self.world.root, "var/lib/picket/definitions/current"))
        for number in range(10):  # dpkg's and the init system's are no other opens
            self.assert_opens_in_time(self.world.path(f"f{number}"))
        subprocess.run(["mount", "-o", "remount,size=1g", self.world.base], check=True)
        self.world.point_definitions("g1")
        self.wake("remedy")
        self.world.end("engine")
        self.world.start_engine()
        self.assert_protects()

    def test_a_run_directory_that_was_emptied_ends_gate_and_guard_to_be_found_again(self):
        for name in ("control", "engine", "guard"):
            os.unlink(self.world.socket_path(name))
        for name in ("gate", "guard"):
            self.assertNotEqual(self.world.processes[name].wait(20), 0, name)
            self.assertIn("is gone", self.world.log(name))
        self.world.start_guard()  # as the service manager does
        self.world.start_gate()
        self.assert_protects()

    def test_a_daemon_that_crashes_leaves_no_core_and_holds_nobody(self):
        """A core handler opens files while the one that should answer is being dumped: none may come."""
        gate = self.world.processes["gate"]
        with open(f"/proc/{gate.pid}/limits", encoding="ascii") as file:
            limits = [line.split() for line in file if line.startswith("Max core file size")]
        self.assertEqual(limits[0][4:6], ["0", "0"])
        self.assertTrue(is_undumpable(gate.pid))
        self.world.write("file", b"content")
        os.kill(gate.pid, signal.SIGSEGV)
        gate.wait(10)
        self.assert_opens_in_time(self.world.path("file"))
        self.world.start_gate()
        self.assert_protects()


def is_undumpable(pid):
    """Whoever may not trace cannot look at a process that does not allow to be dumped, also as the same user."""
    look = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace", "readlink"]
    own = subprocess.run([*look, "/proc/self/exe"], check=False, capture_output=True)
    other = subprocess.run([*look, f"/proc/{pid}/exe"], check=False, capture_output=True)
    return own.returncode == 0 and other.returncode != 0


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("SKIP: needs root (fanotify, mount)")
        sys.exit(77)
    unittest.main(verbosity=2)
