"""Files that are reached by another mount, or in another namespace."""

import os

from by_descriptor import enter_write
from case import Entrance, Unsupported, open_errno
from own_root import mount
from picket_world import eicar

MS_BIND = 4096


def bind(case, target):
    os.makedirs(target, exist_ok=True)
    mount(case.folder, target, "none", MS_BIND)
    return target


def enter_bind(case):
    enter_write(case)
    bind(case, case.folder.replace("/mnt/", "/mnt/bind-"))


def check_bind(case):
    return open_errno(case.folder.replace("/mnt/", "/mnt/bind-") + "/file")


def enter_second_mount(case):
    at = "/mnt/second-" + case.filesystem.name
    if not os.path.ismount(at) and not case.filesystem.mount_again(at):
        raise Unsupported("every mount of it is another file system")
    with open(case.path.replace(case.filesystem.at, at), "r+b", buffering=0) as file:
        file.write(eicar())


def check_second_mount(case):
    return open_errno(case.path.replace(case.filesystem.at, "/mnt/second-" + case.filesystem.name))


def lower(name):
    """A file of the lower layer, where there is one."""
    def prepare(case):
        if case.filesystem.name != "overlay":
            raise Unsupported("no layers")
        case.path = os.path.join(case.filesystem.at, f"{case.tier}-{name}-{case.owner}")

    return prepare


ENTRANCES = [
    Entrance("by a bind mount made since", enter_bind, check=check_bind, new_mount=True),
    Entrance("by a second mount made since", enter_second_mount, check=check_second_mount, new_mount=True),
    Entrance("overlay: written for the first time", enter_write, prepare=lower("clean")),
    Entrance("overlay: malware of the lower layer", lambda case: None, prepare=lower("bad")),
]
