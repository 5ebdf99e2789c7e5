"""The file systems of the table: how each is made and mounted, or why it cannot be here."""

import errno
import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
import time

from case import CLEAN, TIERS, USER
from own_root import LIBC, mount
from picket_world import eicar

LOOP_SET_FD, LOOP_SET_STATUS64, LOOP_GET_FREE = 0x4C00, 0x4C04, 0x4C82
AUTOCLEAR = 4  # gone with its last user, whatever becomes of this test
MEGABYTE = 1 << 20


class CannotMount(Exception):
    """The message is the reason that is published."""


def kernel_knows(kind):
    with open("/proc/filesystems", encoding="ascii") as table:
        return kind in [line.split()[-1] for line in table]


def need_program(name):
    path = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        raise CannotMount(f"{name} is not installed")
    return path


def need_kernel(kind):
    if not kernel_knows(kind):
        raise CannotMount(f"this kernel has no {kind}")


def attach(image):
    """A loop device for the image, and the descriptor that holds it until it is mounted."""
    file = os.open(image, os.O_RDWR)
    with open("/dev/loop-control", "rb") as control:
        for _ in range(50):
            number = fcntl.ioctl(control, LOOP_GET_FREE)
            device = os.open(f"/dev/loop{number}", os.O_RDWR)
            try:
                fcntl.ioctl(device, LOOP_SET_FD, file)
            except OSError as error:
                os.close(device)
                if error.errno != errno.EBUSY:
                    raise
                continue  # somebody else was faster
            # struct loop_info64: three numbers, offset, limit, number, types and key size, flags
            fcntl.ioctl(device, LOOP_SET_STATUS64, struct.pack("QQQQQIIII", 0, 0, 0, 0, 0, 0, 0, 0, AUTOCLEAR).ljust(232, b"\0"))
            os.close(file)
            return f"/dev/loop{number}", device
    raise CannotMount("there is no free loop device")


class Filesystem:
    """`prepare` is called outside of the root of our own, the rest inside. In there, `at` is where it is mounted."""

    mission = True  # one that the product is said to work on

    def __init__(self, name):
        self.name = name
        self.at = "/mnt/" + name.replace(".", "-")

    def prepare(self, root):
        need_kernel(self.name)

    def mount(self, at=None):
        at = at or self.at
        os.makedirs(at, exist_ok=True)
        mount(self.name, at, self.name, 0, "")

    def mount_again(self, at):
        """The same file system by a second mount of its own (not a bind mount); False where there is no such thing."""
        return False


class Image(Filesystem):
    """On a loop device over a sparse file."""

    def __init__(self, name, *mkfs, megabytes=32):
        super().__init__(name)
        self.mkfs = mkfs or ("mkfs." + name,)
        self.megabytes = megabytes
        self.device = self.held = None

    def prepare(self, root):
        need_kernel(self.name)
        self.device, self.held = attach(self.make(root))
        root.device(self.device)

    def make(self, root):
        image = f"{root.path}/root/{self.name}.image"
        with open(image, "wb") as file:
            file.truncate(self.megabytes * MEGABYTE)
        made = subprocess.run([need_program(self.mkfs[0]), *self.mkfs[1:], image], capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise CannotMount(f"{self.mkfs[0]}: {made.stderr.strip().splitlines()[-1:]}")
        return image

    def mount(self, at=None):
        at = at or self.at
        os.makedirs(at, exist_ok=True)
        mount(self.device, at, self.name, 0, "")
        if self.held is not None:
            os.close(self.held)
            self.held = None

    def mount_again(self, at):
        self.mount(at)
        return True


class Overlay(Filesystem):
    """Over a tmpfs of its own; what `lower` holds is there before it is mounted."""

    def parts(self):
        return self.at + "-parts"

    def mount(self, at=None):
        at = at or self.at
        os.makedirs(self.parts(), exist_ok=True)
        mount("tmpfs", self.parts(), "tmpfs", 0, "mode=755")
        for name in ("lower", "upper", "work"):
            os.mkdir(os.path.join(self.parts(), name))
        self.fill_lower(f"{self.parts()}/lower")
        os.makedirs(at, exist_ok=True)
        options = ",".join(f"{name}dir={self.parts()}/{name}" for name in ("lower", "upper", "work"))
        mount("overlay", at, "overlay", 0, options)


    @staticmethod
    def fill_lower(folder):
        for tier in TIERS:
            for owner in (0, USER):
                for name, content in (("clean", CLEAN), ("bad", eicar())):
                    with open(f"{folder}/{tier}-{name}-{owner}", "wb") as file:
                        file.write(content)
                        os.fchmod(file.fileno(), 0o755)
                        os.fchown(file.fileno(), owner, owner)


class Fuse(Image):
    """A server in user space that holds its image open and opens nothing else."""

    def __init__(self, name, server, *mkfs, options=(), on_device=False):
        super().__init__(name, *mkfs)
        self.server = server
        self.options = options
        self.on_device = on_device

    def prepare(self, root):
        need_kernel(self.name)
        need_program(self.server)
        self.device = self.make(root).removeprefix(root.path)
        if self.on_device:
            self.device, self.held = attach(root.path + self.device)
            root.device(self.device)
        root.program(self.server)

    def mount(self, at=None):
        at = at or self.at
        os.makedirs(at, exist_ok=True)
        log = tempfile.TemporaryFile()
        started = subprocess.run([need_program(self.server), self.device, at, *self.options], stdin=subprocess.DEVNULL,
                                 stdout=log, stderr=log, check=False)
        end = time.monotonic() + 20
        while not os.path.ismount(at):
            if started.returncode != 0 or time.monotonic() > end:
                log.seek(0)
                raise CannotMount(f"{self.server}: {log.read().decode(errors='replace').strip()}")
            time.sleep(0.02)
        if self.held is not None:
            os.close(self.held)
            self.held = None

    def mount_again(self, at):
        return False


class Absent(Filesystem):
    """Needs more than a kernel and a mkfs; this test has no set-up for it."""

    def __init__(self, name, set_up):
        super().__init__(name)
        self.set_up = set_up

    def prepare(self, root):
        need_kernel(self.name)
        raise CannotMount(f"this test has no {self.set_up}")


def all_filesystems():
    return [
        Image("ext4", "mkfs.ext4", "-q", "-F"),
        Image("xfs", "mkfs.xfs", "-q", megabytes=320),
        Image("btrfs", "mkfs.btrfs", "-q", megabytes=160),
        Filesystem("tmpfs"),
        Overlay("overlay"),
        Filesystem("ramfs"),
        Image("ext2", "mkfs.ext2", "-q", "-F"),
        Image("ext3", "mkfs.ext3", "-q", "-F"),
        Image("vfat"),
        Image("udf", "mkudffs"),
        Fuse("fuse", "fuse2fs", "mkfs.ext4", "-q", "-F", options=("-o", "rw,allow_other")),
        Fuse("fuseblk", "ntfs-3g", "mkfs.ntfs", "-q", "-Q", "-F", options=("-o", "allow_other"), on_device=True),
        Image("jfs", "mkfs.jfs", "-q"),
        Image("reiserfs", "mkfs.reiserfs", "-q", "-ff", megabytes=64),
        Absent("ecryptfs", "keys for one"),
        Absent("nfs", "NFS server"),
        Image("f2fs", megabytes=64),
        Image("exfat"),
    ]


def unmount(at):
    return LIBC.umount2(at.encode(), 0) == 0
