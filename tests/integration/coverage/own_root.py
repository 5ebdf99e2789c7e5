"""A root of its own for a whole Picket that watches everything: a tmpfs with copies of the programs, entered by
pivot_root in a mount and process namespace made for the purpose. The machine's own file systems cannot be seen from in
there, so no mark can cover them. Nothing here may be called outside such a namespace (coverage_test.sh makes it)."""

import ctypes
import os
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile

LIBC = ctypes.CDLL(None, use_errno=True)
MS_REC, MS_PRIVATE = 0x4000, 0x40000
MNT_DETACH = 2
SYS_PIVOT_ROOT = 155
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NOT_NEEDED = shutil.ignore_patterns("test", "idlelib", "ensurepip", "lib2to3", "tkinter", "turtledemo", "config-*",
                                    "site-packages", "dist-packages", "*.a")
DEVICES = ("null", "zero", "full", "random", "urandom", "fuse")


class Failed(Exception):
    pass


def mount(source, target, kind, flags=0, options=""):
    done = LIBC.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode())
    if done != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount of {kind} at {target}: {os.strerror(number)}")


def detach(target):
    return LIBC.umount2(target.encode(), MNT_DETACH) == 0


def libraries_of(program):
    """What the loader maps for a program; nothing for a script or a static one."""
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    return re.findall(r"(?:=> |^\s)(/\S+) \(0x", done.stdout, re.MULTILINE)


def mapped_libraries():
    with open("/proc/self/maps", encoding="utf-8") as maps:
        return {line.split(maxsplit=5)[5].strip() for line in maps if "/" in line and ".so" in line}


class OwnRoot:
    def __init__(self, size="2g"):
        if os.getpid() != 1:
            raise Failed("this is no process namespace of its own: run coverage_test.sh")
        mount("none", "/", "none", MS_REC | MS_PRIVATE)
        self.outside = {fields[2] for fields in self._mounts()}
        self.path = tempfile.mkdtemp(prefix="picket-root-", dir="/run")
        mount("tmpfs", self.path, "tmpfs", 0, f"mode=755,size={size}")
        for name in ("proc", "dev", "tmp", "run", "mnt", "etc", "root"):
            os.mkdir(os.path.join(self.path, name))
        os.chmod(os.path.join(self.path, "tmp"), 0o1777)
        self._devices()

    def _devices(self):
        for name in DEVICES:
            if os.path.exists("/dev/" + name):
                self.device("/dev/" + name)

    def device(self, path):
        """Makes the node that `path` is out here."""
        status = os.stat(path)
        os.mknod(self.path + path, stat.S_IFMT(status.st_mode) | 0o666, status.st_rdev)

    def copy(self, path):
        """The file under the same name, and what its name's links lead to."""
        if os.path.lexists(self.path + path):
            return
        os.makedirs(self.path + os.path.dirname(path), exist_ok=True)
        shutil.copy2(os.path.realpath(path), self.path + path)

    def program(self, name):
        """A program of the machine with its libraries; False where the machine has none of that name."""
        path = name if name.startswith("/") else shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
        if path is None:
            return False
        for part in [path, *libraries_of(path)]:
            self.copy(part)
        return True

    def picket(self, programs, definitions):
        """Picket's programs and definitions; gives where they are in there."""
        for name in os.listdir(programs):
            source = os.path.realpath(os.path.join(programs, name))
            if not name.startswith("picket") or not os.path.isfile(source):
                continue
            for library in libraries_of(source):
                self.copy(library)
            os.makedirs(self.path + "/opt/picket/bin", exist_ok=True)
            shutil.copy2(source, self.path + "/opt/picket/bin/" + name)
        shutil.copytree(definitions, self.path + "/opt/picket/definitions")
        shutil.copytree(TESTS, self.path + "/opt/picket/tests", ignore=shutil.ignore_patterns("__pycache__"))
        return "/opt/picket/bin", "/opt/picket/definitions", "/opt/picket/tests"

    def python(self):
        """This interpreter, for the programs in there that are written in it."""
        self.program(sys.executable)
        stdlib = sysconfig.get_paths()["stdlib"]
        shutil.copytree(stdlib, self.path + stdlib, ignore=NOT_NEEDED, symlinks=False, ignore_dangling_symlinks=True)
        for library in mapped_libraries():
            for part in libraries_of(library):
                self.copy(part)

    def enter(self):
        """Leaves the machine's file systems for good."""
        os.chdir(self.path)
        if LIBC.syscall(SYS_PIVOT_ROOT, b".", b".") != 0:
            raise OSError(ctypes.get_errno(), "pivot_root")
        detach(".")
        os.chdir("/")
        mount("proc", "/proc", "proc")
        left = sorted({fields[2] for fields in self._mounts()} & self.outside)
        if left:
            raise Failed(f"file systems of the machine can still be seen ({', '.join(left)}): nothing may be marked here")

    @staticmethod
    def _mounts():
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
            return [line.split() for line in table]
