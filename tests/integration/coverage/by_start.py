"""Programs and scripts that are started, and what is inside of archives."""

import errno
import gzip
import io
import os
import shutil
import subprocess
import tarfile
import zipfile

from case import CLEAN, Entrance, Unsupported
from picket_world import eicar

MARKER = b"picket-test-marker-7c1f"  # its signature is made by the test; for what must be a script or a program
SCRIPT = b"#!/bin/sh\n# %s\nexit 0\n"
HARMLESS = b"nothing to be seen here"


def run(*arguments, **options):
    """0 where it ran; the errno with which it did not start, or EPERM where it ran and was refused."""
    try:
        done = subprocess.run(arguments, stdin=options.pop("stdin", subprocess.DEVNULL), stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False, **options)
    except OSError as error:
        return error.errno
    return 0 if done.returncode == 0 else errno.EPERM


def put_script(case, content):
    case.put(SCRIPT % content)


def put_program(case, content):
    with open(shutil.which("true", path="/bin:/usr/bin"), "rb") as file:
        case.put(file.read() + content)


def start(case):
    return run(case.path)


def start_by_loader(case):
    loader = next((path for path in ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1") if os.path.exists(path)), None)
    if loader is None:
        raise Unsupported("no loader known here")
    return run(loader, case.path)


def zipped(content):
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner/test.com", content)
    return memory.getvalue()


def tarred(content):
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w:gz") as archive:
        info = tarfile.TarInfo("inner/test.com")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return memory.getvalue()


SEVEN_ZIPPED = {}  # made where the machine's programs can be had


def make_seven_zipped(folder):
    tool = next(filter(None, map(shutil.which, ("7zz", "7zr", "7z"))), None)
    for content in (CLEAN, eicar()) if tool else ():
        archive = os.path.join(folder, "archive.7z")
        subprocess.run([tool, "a", "-sitest.com", archive], input=content, stdout=subprocess.DEVNULL, check=True)
        with open(archive, "rb") as file:
            SEVEN_ZIPPED[content] = file.read()
        os.unlink(archive)


def seven_zipped(content):
    if content not in SEVEN_ZIPPED:
        raise Unsupported("7zz is not installed")
    return SEVEN_ZIPPED[content]


def packed(pack):
    return {"prepare": lambda case: case.put(pack(CLEAN)), "enter": lambda case: case.put(pack(eicar()))}


ENTRANCES = [
    Entrance("exec of a script", lambda case: put_script(case, MARKER), prepare=lambda case: put_script(case, HARMLESS), check=start),
    Entrance("script given to its interpreter", lambda case: put_script(case, MARKER),
             prepare=lambda case: put_script(case, HARMLESS), check=lambda case: run("/bin/sh", case.path)),
    Entrance("exec of a program", lambda case: put_program(case, MARKER), prepare=lambda case: put_program(case, HARMLESS), check=start),
    Entrance("program given to the loader", lambda case: put_program(case, MARKER),
             prepare=lambda case: put_program(case, HARMLESS), check=start_by_loader),
    Entrance("inside zip", **packed(zipped)),
    Entrance("inside gzip", **packed(gzip.compress)),
    Entrance("inside tar.gz", **packed(tarred)),
    Entrance("inside 7z", **packed(seven_zipped)),
]
