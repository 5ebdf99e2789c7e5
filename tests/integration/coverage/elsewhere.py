"""Entrances that have nothing to do with one of the file systems: namespaces of others, new mounts, memory, pipes. Each
gives "blocked", "blocked once found" or "not covered"."""

import ctypes
import errno
import os
import shutil
import subprocess
import tempfile

from by_start import MARKER, SCRIPT, run
from case import USER, Unsupported, open_errno, open_until_denied
from filesystems import CannotMount, Image, kernel_knows, need_program, unmount
from own_root import LIBC, MS_PRIVATE, MS_REC, mount
from picket_world import eicar

MS_RDONLY, CLONE_NEWNS, CLONE_NEWUSER = 1, 0x20000, 0x10000000
BLOCKED, LATE, OPEN = "blocked", "blocked once found", "not covered"


def answer(number):
    return BLOCKED if number == errno.EPERM else OPEN


def in_child(work):
    """What `work` gives, called in a process of its own; 99 is Unsupported."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            text = work()
        except Unsupported as reason:
            text = f"?{reason}"
        except BaseException as error:  # noqa: the child's only way to say so
            text = f"!{type(error).__name__}: {error}"
        os.write(writing, text.encode())
        os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as file:
        text = file.read()
    os.waitpid(pid, 0)
    if text[:1] == "?":
        raise Unsupported(text[1:])
    if text[:1] == "!":
        raise AssertionError(text[1:])
    return text


def found_late(path):
    number, _ = open_until_denied(path)
    return LATE if number == errno.EPERM else OPEN


def bad_file_on_a_tmpfs(at):
    os.makedirs(at, exist_ok=True)
    mount("tmpfs", at, "tmpfs", 0, "mode=777,size=1m")
    with open(at + "/file", "wb") as file:
        file.write(eicar())
    return at + "/file"


def unshare(flags):
    if LIBC.unshare(flags) != 0:
        raise Unsupported(f"unshare: {os.strerror(ctypes.get_errno())}")


def container():
    """Mounts of its own, and a root of its own."""
    at = tempfile.mkdtemp(dir="/mnt")

    def work():
        unshare(CLONE_NEWNS)
        mount("none", "/", "none", MS_REC | MS_PRIVATE)
        bad_file_on_a_tmpfs(at)
        os.chroot(at)
        return found_late("/file")

    return in_child(work)


def user_namespace():
    """What an ordinary user gets from `unshare -Urm`: a tmpfs that no mount table of the host ever shows."""
    at = tempfile.mkdtemp(dir="/tmp")
    os.chmod(at, 0o777)

    def work():
        os.setgroups([])
        os.setresgid(USER, USER, USER)
        os.setresuid(USER, USER, USER)
        LIBC.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: else /proc/self/uid_map is root's
        unshare(CLONE_NEWUSER | CLONE_NEWNS)
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {USER} 1"), ("gid_map", f"0 {USER} 1")):
            with open("/proc/self/" + name, "w", encoding="ascii") as file:
                file.write(text)
        return found_late(bad_file_on_a_tmpfs(at))

    return in_child(work)


def new_tmpfs():
    return found_late(bad_file_on_a_tmpfs(tempfile.mkdtemp(dir="/mnt")))


class ReadOnlyImage(Image):
    """A tree that came as an image, with the malware already in it."""

    def make(self, root):
        with tempfile.TemporaryDirectory(dir=root.path + "/tmp") as tree:
            with open(tree + "/file", "wb") as file:
                file.write(eicar())
            image = f"{root.path}/root/{self.name}.image"
            order = [image, tree] if self.name == "erofs" else [tree, image]
            made = subprocess.run([need_program(self.mkfs[0]), *order], capture_output=True, text=True, check=False)
            if made.returncode != 0:
                raise CannotMount(made.stderr.strip())
        return image

    def found(self):
        if self.device is None:
            raise Unsupported(f"this kernel has no {self.name}" if not kernel_knows(self.name) else f"no {self.mkfs[0]}")
        at = tempfile.mkdtemp(dir="/mnt")
        os.makedirs(at, exist_ok=True)
        mount(self.device, at, self.name, MS_RDONLY, "")
        try:
            return found_late(at + "/file")
        finally:
            unmount(at)


def memory_file(content):
    memory = os.memfd_create("picket-test")
    os.write(memory, content)
    return memory


def opened_memory():
    memory = memory_file(eicar())
    try:
        return answer(open_errno(f"/proc/self/fd/{memory}"))
    finally:
        os.close(memory)


def started_memory():
    with open(shutil.which("true", path="/bin:/usr/bin"), "rb") as file:
        memory = memory_file(file.read() + MARKER)
    try:
        return answer(run(f"/proc/self/fd/{memory}", pass_fds=(memory,)))
    finally:
        os.close(memory)


def piped_script():
    done = subprocess.run(["/bin/sh"], input=SCRIPT % MARKER, check=False)
    return BLOCKED if done.returncode != 0 else OPEN


IMAGES = [ReadOnlyImage("squashfs", "mksquashfs"), ReadOnlyImage("erofs", "mkfs.erofs")]
ENTRANCES = {
    "a tmpfs mounted after the start": new_tmpfs,
    **{f"a {image.name} image mounted after the start": image.found for image in IMAGES},
    "a container: mounts and root of its own": container,
    "unshare -Urm of an ordinary user, with a tmpfs of its own": user_namespace,
    "memfd, opened by /proc/self/fd": opened_memory,
    "memfd, started as a program": started_memory,
    "script that comes by a pipe": piped_script,
}
