#!/usr/bin/env python3
"""Kills picket-installer after each write of its journal in turn, inside a throw-away host: the next run must make it
whole again. Usage: installer_kills.py INSTALLER ONBOARDING [STRIDE]. Changes the host that it runs on: only for the lab."""
import ctypes
import json
import os
import select
import signal
import struct
import subprocess
import sys

INSTALL_DIRECTORY = "/var/lib/picket/install"
IN_MOVED_TO = 0x80
IN_DELETE = 0x200
EVENT = struct.Struct("iIII")
libc = ctypes.CDLL(None, use_errno=True)


class JournalWatch:
    """Counts what happens to journal.json; each write is a rename into the folder, the end is its removal."""

    def __init__(self):
        os.makedirs(INSTALL_DIRECTORY, mode=0o700, exist_ok=True)
        self.fd = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if libc.inotify_add_watch(self.fd, INSTALL_DIRECTORY.encode(), IN_MOVED_TO | IN_DELETE) < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch")

    def close(self):
        os.close(self.fd)

    def wait(self, count, process):
        """True once `count` changes were seen, False where the process ended before."""
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        exit_fd = os.pidfd_open(process.pid)
        poll.register(exit_fd, select.POLLIN)
        seen = 0
        try:
            while True:
                ready = dict(poll.poll(120_000))
                if not ready:
                    raise TimeoutError("the installer neither ends nor goes on")
                if self.fd in ready:
                    seen += self.changes()
                    if seen >= count:
                        return True
                elif exit_fd in ready:
                    return False
        finally:
            os.close(exit_fd)

    def changes(self):
        data, position, found = os.read(self.fd, 65536), 0, 0
        while position < len(data):
            _, _, _, length = EVENT.unpack_from(data, position)
            name = data[position + EVENT.size : position + EVENT.size + length].rstrip(b"\0")
            found += name == b"journal.json"
            position += EVENT.size + length
        return found


def run(*arguments):
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout, done.stderr


def installer(*arguments):
    code, out, err = run(INSTALLER, *arguments, "--output", "json")
    try:
        return code, json.loads(out)
    except ValueError:
        raise AssertionError(f"{arguments}: no JSON: {code} {out} {err}") from None


def expect(condition, what, *details):
    if not condition:
        raise AssertionError(f"{what}: {details}")


def kill_at(count, *arguments):
    watch = JournalWatch()
    process = subprocess.Popen([INSTALLER, *arguments, "--output", "json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        reached = watch.wait(count, process)
        if reached:
            process.send_signal(signal.SIGKILL)
        process.wait()
        return reached and process.returncode == -signal.SIGKILL
    finally:
        watch.close()


def expect_installed(report):
    expect(report["after"]["installed"], "installed", report)
    expect(report["after"]["onboarded"], "onboarded", report)
    expect(run("dpkg", "--audit")[1] == "", "dpkg has nothing to complain of")
    expect(run("systemctl", "is-active", "picketd.service")[0] == 0, "the gate runs")
    expect(not os.path.exists(INSTALL_DIRECTORY + "/journal.json"), "no journal is left")
    expect(run("picket", "selftest")[0] == 0, "the host is protected")


def expect_absent():
    expect(run("dpkg-query", "-W", "picket")[0] != 0, "dpkg does not know it")
    expect(run("dpkg", "--audit")[1] == "", "dpkg has nothing to complain of")
    for path in ("/etc/picket", "/var/lib/picket", "/usr/sbin/picketd", "/usr/bin/picket"):
        expect(not os.path.exists(path), "gone", path, run("find", path)[1])


def install_killed(count):
    arguments = ("install", "--onboarding", ONBOARDING)
    if not kill_at(count, *arguments):
        return False
    code, status = installer("status")
    expect(code == 0 and not status["changed"], "status answers", status)
    code, report = installer(*arguments)
    expect(code == 0, "the next install succeeds", report)
    expect_installed(report)
    return True


def uninstall_killed(count):
    killed = kill_at(count, "uninstall", "--purge")
    code, report = installer("uninstall", "--purge")
    expect(code == 0, "the next uninstall succeeds", report)
    expect_absent()
    return killed


def main():
    count, killed_installs, killed_uninstalls = 1, 0, 0
    going = True
    while going:
        going = install_killed(count)
        killed_installs += going
        if going or os.path.exists("/usr/sbin/picketd"):
            killed_uninstalls += uninstall_killed(count)
        print(f"killed after journal write {count}: made whole again" if going else f"the install has {count - 1} journal writes", flush=True)
        count += STRIDE
    expect(killed_installs * STRIDE >= 20, "enough points were met", killed_installs)
    print(f"{killed_installs} installs and {killed_uninstalls} uninstalls were killed")


INSTALLER, ONBOARDING = sys.argv[1:3]
STRIDE = int(sys.argv[3]) if len(sys.argv) > 3 else 1
if __name__ == "__main__":
    main()
