"""Runs every cell, and says what became of it."""

import errno
import json
import os
import time

from by_descriptor import ENTRANCES as BY_DESCRIPTOR
from by_mapping import ENTRANCES as BY_MAPPING
from by_mount import ENTRANCES as BY_MOUNT
from by_name import ENTRANCES as BY_NAME
from by_start import ENTRANCES as BY_START
from case import USER, Case, Unsupported

ENTRANCES = BY_DESCRIPTOR + BY_MAPPING + BY_NAME + BY_START + BY_MOUNT
OWNERS = {0: "root", USER: "user"}
BLOCKED, LATE, SEEN, OPEN, NONE = "blocked", "blocked once found", "seen", "not covered", "–"
FIND_SECONDS = 60.0
OLD_ENOUGH = {"vfat", "udf", "exfat", "jfs", "reiserfs", "hfsplus"}  # their time stamps count in seconds


class Cell:
    def __init__(self, filesystem, tier, owner, number):
        self.entrance = ENTRANCES[number]
        self.case = Case(filesystem, tier, owner, number)
        self.result, self.reason = None, ""

    def attempt(self, action):
        """None where the cell has its result by now."""
        if self.result is not None:
            return None
        try:
            return action()
        except Unsupported as reason:
            self.result, self.reason = NONE, str(reason)
        except OSError as error:
            self.result, self.reason = "error", f"{type(error).__name__}: {error}"
        return None

    def prepare(self):
        os.mkdir(self.case.folder)
        try:
            os.chown(self.case.folder, self.case.owner, self.case.owner)
            self.entrance.prepare(self.case)
        except OSError as error:
            if self.case.owner and error.errno in (errno.EPERM, errno.EOPNOTSUPP, errno.EINVAL):
                raise Unsupported("files have no owners") from error
            raise

    def warm(self):
        refused = self.attempt(lambda: self.entrance.warm(self.case))
        if refused and "malware" not in self.entrance.name:
            self.result, self.reason = "error", f"the clean file was refused: {errno.errorcode[refused]}"

    def run(self):
        def enter_and_open():
            self.entrance.enter(self.case)
            self.judge()

        self.attempt(enter_and_open)
        self.case.close()

    def judge(self):
        number = self.entrance.check(self.case)
        late = False
        if self.entrance.new_mount:
            end = time.monotonic() + FIND_SECONDS
            while number != errno.EPERM and time.monotonic() < end:
                time.sleep(0.05)
                late = True
                number = self.entrance.check(self.case)
            late = late or self.case.tier == "mount_marks"  # now and then it is found at once
        if number == errno.EPERM:
            self.result = LATE if late else BLOCKED
        elif number == 0:
            self.result = OPEN
        else:
            self.result, self.reason = "error", f"the open failed with {errno.errorcode.get(number, number)}"

    def record(self):
        return {"entrance": self.entrance.name, "owner": OWNERS[self.case.owner], "result": self.result,
                "reason": self.reason, "path": self.case.path}


def run_filesystem(filesystem, tier):
    cells = [Cell(filesystem, tier, owner, number) for number in range(len(ENTRANCES)) for owner in OWNERS]
    for cell in cells:
        cell.attempt(cell.prepare)
    for _ in range(2):  # the first open is judged, the second one finds what is remembered
        time.sleep(2.2 if filesystem.name in OLD_ENOUGH else 0.1)
        for cell in cells:
            cell.warm()
    for cell in cells:
        cell.run()
    return [cell.record() for cell in cells]


def start_filesystem(filesystem, tier):
    """In a process of its own; gives where its records can be read."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            text = json.dumps(run_filesystem(filesystem, tier))
        except BaseException as error:  # noqa: the child's only way to say so
            text = json.dumps(f"{type(error).__name__}: {error}")
        with open(writing, "w", encoding="utf-8") as file:
            file.write(text)
        os._exit(0)
    os.close(writing)
    return pid, open(reading, encoding="utf-8")


def run_table(filesystems, tier):
    """{file system: its records}"""
    running = {filesystem.name: start_filesystem(filesystem, tier) for filesystem in filesystems}
    records = {}
    for name, (pid, file) in running.items():
        with file:
            records[name] = json.load(file)
        os.waitpid(pid, 0)
        if isinstance(records[name], str):
            raise AssertionError(f"{name}: {records[name]}")
    return records
