"""A whole Picket on one private tmpfs: real kernel, real libclamav, nothing installed.

The tmpfs is the only file system that is watched (picketd --only-mount), so that nothing this test does can hold an
open of the machine it runs on.
"""

import ctypes
import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PROGRAMS = os.environ.get("PICKET_BIN", "build/bin")
DEFINITIONS = os.environ.get("PICKET_DEFINITIONS", "packaging/definitions")
ENGINE_UID = 64738  # no user of this machine
TIMEOUT = 30.0

LIBC = ctypes.CDLL(None, use_errno=True)


def eicar():
    """The test file, joined at run time so that no scanner stops the checkout."""
    return b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def children_of(pid):
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as file:
                parent = int(file.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        if parent == pid:
            found.append(int(entry))
    return found


def tree_of(pid):
    found = [pid]
    for child in children_of(pid):
        found += tree_of(child)
    return found


def wait_for(condition, what, timeout=TIMEOUT):
    """Polls until `condition` gives something true; fails loudly after the bound. `what` may be a function that says more."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout:.0f} s: {what() if callable(what) else what}")
        time.sleep(0.02)


class Rpc:
    """A client of the control socket: one JSON-RPC object a message."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(TIMEOUT)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        self.next_id = 0
        self.notifications = []

    def send(self, method, params=None, fds=()):
        self.next_id += 1
        text = json.dumps({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params or {}})
        socket.send_fds(self.socket, [text.encode()], list(fds))
        return self.next_id

    def call(self, method, params=None, fds=()):
        wanted, parts = self.send(method, params, fds), "" # a large answer comes in parts
        while True:
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionResetError:  # it closed with ours unread: what it had sent comes after this
                data = self.socket.recv(1 << 20)
            if not data:
                raise ConnectionError("the daemon closed the connection")
            message = json.loads(data)
            if message.get("id") == wanted:
                if "part" not in message:
                    return message
                parts += message["part"]
                if not message["more"]:
                    return json.loads(parts)
                continue
            self.notifications.append(message)

    def result(self, method, params=None, fds=()):
        answer = self.call(method, params, fds)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def close(self):
        self.socket.close()


class World:
    """Directories, processes and the watched mount; leaves nothing behind."""

    LAUNCHER = ()  # what every program is started by: for tests that play another kernel

    extra_mount = ()  # more file systems to watch, as options

    # A busy machine must not let a scan miss the default of 2 s: here it is about what happens, not how fast.
    PATIENT = {"realTimeProtection": {"openDeadlineMs": 10000}}

    def __init__(self):
        self.base = tempfile.mkdtemp(prefix="picket-world-", dir="/run")
        self.processes = {}
        self.logs = {}
        try:
            os.chmod(self.base, 0o755)
            self._mount(self.base, "mode=755")
            self.root = self._directory("root", 0o755)
            self.run = self._directory("run", 0o755)
            self.engine_tmp = self.engine_directory()
            os.chown(self.engine_tmp, ENGINE_UID, ENGINE_UID)
            self.watched = self._directory("watched", 0o1777)
            self._mount(self.watched, "mode=1777")
            self._definitions("g1")
            self.write_profile(self.PATIENT, "10-patient.json")
            self.start_guard()
            self.start_remedy()
            self.start_gate()
            self.start_engine()
            self.wait_protected()
        except BaseException:
            self.close()
            raise

    def engine_directory(self):
        return self._directory("engine-tmp", 0o700)

    def watch_arguments(self):
        """What picketd is told of what it is to watch."""
        return ("--only-mount", self.watched, *self.extra_mount)

    def _directory(self, name, mode):
        path = os.path.join(self.base, name)
        os.makedirs(path)
        os.chmod(path, mode)
        return path

    @staticmethod
    def _mount(path, options):
        if LIBC.mount(b"tmpfs", path.encode(), b"tmpfs", 0, options.encode()) != 0:
            raise OSError(ctypes.get_errno(), "mount " + path)

    def _definitions(self, name):
        directory = os.path.join(self.root, "var/lib/picket/definitions")
        target = os.path.join(directory, "generations", name)
        os.makedirs(target, exist_ok=True)
        for entry in os.listdir(DEFINITIONS):
            if entry.rsplit(".", 1)[-1] in ("ndb", "hdb", "hsb", "ldb"):
                shutil.copy(os.path.join(DEFINITIONS, entry), target)
        for path, _, files in os.walk(os.path.join(self.root, "var")):
            os.chmod(path, 0o755)
            for file in files:
                os.chmod(os.path.join(path, file), 0o644)
        self.point_definitions(name)
        return target

    def point_definitions(self, name):
        current = os.path.join(self.root, "var/lib/picket/definitions/current")
        os.symlink("generations/" + name, current + ".new")
        os.rename(current + ".new", current)

    def write_profile(self, document, name="50-test.json"):
        directory = os.path.join(self.root, "etc/picket/managed.d")
        os.makedirs(directory, exist_ok=True)
        temporary = os.path.join(directory, "." + name)
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(document, file)
        os.chmod(temporary, 0o644)
        os.rename(temporary, os.path.join(directory, name))

    def spawn(self, name, program, *arguments):
        log = open(os.path.join(self.base, name + ".log"), "ab")
        process = subprocess.Popen([*self.LAUNCHER, os.path.join(PROGRAMS, program), *arguments], stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=log, start_new_session=True)
        log.close()
        self.processes[name] = process
        return process

    def log(self, name):
        with open(os.path.join(self.base, name + ".log"), "rb") as file:
            return file.read().decode(errors="replace")

    def socket_path(self, name):
        return os.path.join(self.run, name + ".sock")

    def start_guard(self):
        self.spawn("guard", "picket-guard", "--socket", self.socket_path("guard"), "--engine-uid", str(ENGINE_UID),
                   "--status", os.path.join(self.run, "guard.json"))
        wait_for(lambda: os.path.exists(self.socket_path("guard")), "the guard's socket")

    def start_remedy(self):
        self.spawn("remedy", "picket-remedy", "--socket", self.socket_path("remedy"), "--vault",
                   os.path.join(self.root, "var/lib/picket/quarantine"))
        wait_for(lambda: os.path.exists(self.socket_path("remedy")), "the remedy's socket\n" + self.log("remedy"))

    def start_gate(self):
        for name in ("control", "engine"):
            if os.path.exists(self.socket_path(name)):
                os.unlink(self.socket_path(name))
        self.spawn("gate", "picketd", "--root", self.root, "--run-directory", self.run, "--engine-user", str(ENGINE_UID),
                   *self.watch_arguments())
        wait_for(lambda: os.path.exists(self.socket_path("control")), "the control socket\n" + self.log("gate"))

    def start_engine(self, workers=2):
        self.spawn("engine", "picket-engine", "--socket", self.socket_path("engine"), "--definitions",
                   os.path.join(self.root, "var/lib/picket/definitions"), "--temporary-directory", self.engine_tmp,
                   "--user", str(ENGINE_UID), *(("--workers", str(workers)) if workers else ()))

    def rpc(self):
        def connect():
            try:
                return Rpc(self.socket_path("control"))
            except BlockingIOError:  # a burst has filled the backlog
                return None

        return wait_for(connect, "a connection")

    def health(self):
        client = self.rpc()
        try:
            return client.result("health")
        finally:
            client.close()

    def wait_protected(self):
        def protected():
            try:
                health = self.health()
            except OSError:
                return False
            return health if health["real_time_protection_active"] else False

        try:
            return wait_for(protected, "real-time protection")
        except AssertionError as error:
            logs = "".join(f"--- {name}\n{self.log(name)[-3000:]}\n" for name in self.processes)
            try:
                health = json.dumps(self.health(), indent=1)
            except OSError as unreachable:
                health = str(unreachable)
            raise AssertionError(f"{error}\n{health}\n{logs}") from error

    def path(self, name):
        return os.path.join(self.watched, name)

    def write(self, name, content, close=True):
        """Writes a file; with close=False gives the open writer."""
        file = open(self.path(name), "wb", buffering=0)
        file.write(content)
        if not close:
            return file
        file.close()
        return None

    def open_errno(self, path):
        """0, or the errno with which a process of its own fails to open the file."""
        pid = os.fork()
        if pid == 0:
            try:
                os.close(os.open(path, os.O_RDONLY))
                os._exit(0)
            except OSError as error:
                os._exit(error.errno)
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status)

    def events(self, kind=None, limit=1000):
        client = self.rpc()
        try:
            return client.result("event.list", {"limit": limit, **({"type": kind} if kind else {})})["events"]
        finally:
            client.close()

    def end(self, name, number=signal.SIGKILL):
        process = self.processes.pop(name)
        process.send_signal(number)
        process.wait(TIMEOUT)
        return process.returncode

    def close(self):
        for name in ("engine", "gate", "remedy", "guard"):
            process = self.processes.get(name)
            if process is None or process.poll() is not None:
                continue
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for path in (os.path.join(self.base, "watched"), self.base):
            while LIBC.umount2(path.encode(), 0) == 0:
                pass
            if ctypes.get_errno() == errno.EBUSY:
                LIBC.umount2(path.encode(), 2)
        os.rmdir(self.base)
