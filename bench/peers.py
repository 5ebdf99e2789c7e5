"""clamd with clamonacc, and clamdscan: what administrators use today, run beside Picket in the same measurement.

The programs come from the distribution's packages, unpacked into build/bench/peers: nothing is installed or started on
the machine itself. They get the same definitions as Picket.
"""

import os
import pwd
import shutil
import signal
import subprocess
import time

PEERS = os.path.abspath("build/bench/peers")
PACKAGES = ("clamav-daemon", "clamdscan", "clamav-base", "clamav")
USER = "nobody"  # clamonacc must not ask about clamd's own opens: it tells them by its user


def fetch():
    """False where the packages cannot be had: then the table has no row of theirs."""
    if os.path.exists(os.path.join(PEERS, "usr/sbin/clamonacc")):
        return True
    os.makedirs(PEERS, exist_ok=True)
    for package in PACKAGES:
        if subprocess.run(["apt-get", "-qq", "download", package], cwd=PEERS, check=False).returncode != 0:
            return False
    for name in os.listdir(PEERS):
        if name.endswith(".deb"):
            subprocess.run(["dpkg-deb", "-x", os.path.join(PEERS, name), PEERS], check=True)
    return True


def program(name):
    for directory in ("usr/sbin", "usr/bin"):
        path = os.path.join(PEERS, directory, name)
        if os.path.exists(path):
            return path
    raise FileNotFoundError(name)


def library_seconds(directory, definitions, scanned):
    """Processor time of the library itself over a tree, without what loading the definitions takes."""
    nothing = os.path.join(directory, "nothing")
    os.makedirs(nothing, exist_ok=True)

    def processor(target):
        before = os.times()
        subprocess.run([program("clamscan"), "--quiet", "--recursive", "--database", definitions, target], stdout=subprocess.DEVNULL, check=True)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    return max(processor(scanned) - processor(nothing), 0.0)


class Clam:
    """One clamd over a folder of definitions; with `watched`, a clamonacc that prevents opens below it."""

    def __init__(self, directory, definitions, watched=None, threads=2):
        self.directory = directory
        os.makedirs(directory, exist_ok=True)
        database = os.path.join(directory, "db")
        shutil.copytree(definitions, database, dirs_exist_ok=True)
        owner = pwd.getpwnam(USER)
        for path in (directory, database):
            os.chmod(path, 0o755)
        os.chown(directory, owner.pw_uid, owner.pw_gid)
        self.socket = os.path.join(directory, "clamd.sock")
        lines = [f"LocalSocket {self.socket}", "LocalSocketMode 666", f"DatabaseDirectory {database}", "Foreground yes",
                 f"User {USER}", f"MaxThreads {threads}", f"TemporaryDirectory {directory}", "LogTime no", "SelfCheck 0"]
        if watched:
            lines += [f"OnAccessIncludePath {watched}", "OnAccessPrevention yes", f"OnAccessExcludeUname {USER}"]
        self.config = os.path.join(directory, "clamd.conf")
        with open(self.config, "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
        self.processes = []
        self._start(program("clamd"), "--config-file", self.config)
        self._wait(lambda: os.path.exists(self.socket), 120)
        if watched:
            self._start(program("clamonacc"), "--config-file", self.config, "--foreground", "--fdpass", "--log",
                        os.path.join(directory, "clamonacc.log"))
            self._wait(lambda: self._denies(os.path.join(watched, "probe")), 60)

    def _start(self, *command):
        log = open(os.path.join(self.directory, "out.log"), "ab")
        self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True))
        log.close()

    def _wait(self, condition, seconds):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end or any(process.poll() is not None for process in self.processes):
                with open(os.path.join(self.directory, "out.log"), encoding="utf-8", errors="replace") as file:
                    raise RuntimeError("the peer did not start: " + file.read()[-2000:])
            time.sleep(0.1)

    @staticmethod
    def _denies(path):
        with open(path, "wb") as file:
            file.write(b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*")
        opened = subprocess.run(["cat", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, timeout=30)
        os.unlink(path)
        return opened.returncode != 0

    def scan(self, directory):
        subprocess.run([program("clamdscan"), "--config-file", self.config, "--fdpass", "--multiscan", "--quiet", directory],
                       stdout=subprocess.DEVNULL, check=True)

    def reload(self):
        """Returns when clamd says that the new database serves."""
        log = os.path.join(self.directory, "out.log")

        def reloads():
            with open(log, encoding="utf-8", errors="replace") as file:
                return file.read().count("Database correctly reloaded")

        before = reloads()
        subprocess.run([program("clamdscan"), "--config-file", self.config, "--reload"], stdout=subprocess.DEVNULL, check=True)
        self._wait(lambda: reloads() > before, 300)

    @property
    def clamd(self):
        return self.processes[0].pid

    def close(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
