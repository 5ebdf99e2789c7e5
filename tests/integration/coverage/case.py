"""One cell of the table: a clean file that was opened, judged and opened again, then bad content, then the next opener."""

import errno
import os
import time

from picket_world import eicar

PAGE = 4096
USER = 1000  # owns the files that not only root may write
TIERS = ("full", "mount_marks")  # as `picket health` names them: this kernel, and Linux 3.10 played on it
CLEAN = b"what lies here first is a text like any other, and as long as it!\n".ljust(68, b".")
NOT_HERE = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.EXDEV, errno.ENOTTY, errno.ENODEV)


class Unsupported(Exception):
    """This file system or kernel has no such thing."""


class Case:
    """One cell: a folder of its own, and what must stay open until the opener was answered."""

    def __init__(self, filesystem, tier, owner, number):
        self.filesystem, self.tier, self.owner = filesystem, tier, owner
        self.folder = f"{filesystem.at}/{tier}-{owner}-{number}"
        self.path = os.path.join(self.folder, "file")
        self.held = []

    def name(self, name):
        return os.path.join(self.folder, name)

    def put(self, content, name="file"):
        with open(self.name(name), "wb", buffering=0) as file:
            file.write(content)
            self.own(file.fileno())
        return self.name(name)

    def own(self, fd):
        os.fchmod(fd, 0o755)
        if self.owner:
            os.fchown(fd, self.owner, self.owner)

    def hold(self, fd):
        self.held.append(fd)
        return fd

    def bad_source(self, content=None):
        """An open descriptor of a file that holds malware: its writer's, for nobody else would get one."""
        fd = self.hold(os.open(self.name("source"), os.O_RDWR | os.O_CREAT, 0o755))
        os.write(fd, content or eicar())
        os.lseek(fd, 0, os.SEEK_SET)
        return fd

    def close(self):
        """The last one first."""
        for held in reversed(self.held):
            if isinstance(held, int):
                os.close(held)
            else:
                held.close()
        self.held.clear()


def open_errno(path, flags=os.O_RDONLY):
    try:
        os.close(os.open(path, flags))
        return 0
    except OSError as error:
        return error.errno


def open_until_denied(path, seconds=60.0):
    """For what lies on a mount that the gate must find first: gives (errno, whether the first open was let through)."""
    end = time.monotonic() + seconds
    first = number = open_errno(path)
    while number != errno.EPERM and time.monotonic() < end:
        time.sleep(0.05)
        number = open_errno(path)
    return number, first != errno.EPERM


class Entrance:
    """`prepare` makes the clean file, `enter` brings in the bad content, `check` is the next opener."""

    def __init__(self, name, enter, prepare=None, check=None, new_mount=False):
        self.name, self._enter, self._prepare, self._check = name, enter, prepare, check
        self.new_mount = new_mount  # goes by a mount that the gate must find first, where it marks mounts

    def prepare(self, case):
        (self._prepare or (lambda c: c.put(CLEAN)))(case)

    def warm(self, case):
        return open_errno(case.path) if os.path.exists(case.path) else 0

    def enter(self, case):
        try:
            self._enter(case)
        except OSError as error:
            if error.errno in NOT_HERE:
                raise Unsupported(f"{error.strerror}") from error
            raise

    def check(self, case):
        return (self._check or (lambda c: open_errno(c.path)))(case)


def writer(case, flags=0):
    return case.hold(os.open(case.path, os.O_RDWR | flags))


def closed(case):
    os.close(case.held.pop())
