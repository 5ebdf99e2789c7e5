"""What is written again and again while others open it: no opener gets malware that was there before it came."""

import errno
import mmap
import os
import random
import struct
import time

from case import CLEAN, open_errno
from picket_world import eicar


def put(path, content):
    """Into the same inode. A file that is malicious opens for nobody, not for writing either; emptied by name it does."""
    if content == CLEAN and os.path.exists(path):
        os.truncate(path, 0)
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    os.write(fd, content)
    os.close(fd)


def put_by_name(path, content):
    put(path + ".new", content)
    os.rename(path + ".new", path)


def rewrites(folder, rounds=200):
    """Same file, same size, at once: [what went wrong]."""
    path = os.path.join(folder, "rewritten")
    wrong = []
    for number in range(rounds):
        for content, wanted in ((CLEAN, 0), (eicar(), errno.EPERM)):
            put(path, content)
            got = open_errno(path)
            if got != wanted:
                wrong.append(f"round {number} of {folder}: {'malware' if wanted else 'a clean file'} was answered with {got}")
    os.unlink(path)
    return wrong


class Board:
    """Shared by all: for each file how often it was changed. Odd: somebody is at it. Bit 1: malware lies there."""

    def __init__(self, files):
        self.memory = mmap.mmap(-1, 8 * files + 8 * 3)
        self.files = files

    def get(self, number):
        return struct.unpack_from("Q", self.memory, 8 * number)[0]

    def add(self, number, by=1):
        struct.pack_into("Q", self.memory, 8 * number, self.get(number) + by)


def write_on(board, number, path):
    """Writes its file in place, or brings another by its name, until the readers are gone."""
    while not board.get(board.files):
        bad = board.get(number) & 2 == 0
        content = eicar() if bad else CLEAN
        board.add(number)
        random.choice((put, put_by_name))(path, content)
        board.add(number)
        time.sleep(random.random() * 0.02)


def read_for(board, paths, seconds, result):
    opens = misses = refusals = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end or opens == 0:
        number = random.randrange(len(paths))
        before = board.get(number)
        try:
            with open(paths[number], "rb", buffering=0) as file:
                content = file.read()
        except PermissionError:
            content = None
        except FileNotFoundError:
            continue
        opens += 1
        if before & 1 or board.get(number) != before:
            continue  # it was changed meanwhile: either answer is right
        misses += content == eicar()
        refusals += content is None and not before & 2
    os.write(result, struct.pack("QQQ", opens, misses, refusals))


def crowd(folders, seconds, writers=50, readers=50):
    """(opens, malware that was let through, clean files that were refused)"""
    paths = [os.path.join(folders[number % len(folders)], f"crowd-{number}") for number in range(writers)]
    board = Board(writers)
    for path in paths:
        with open(path, "wb", buffering=0) as file:
            file.write(CLEAN)
    reading, writing = os.pipe()
    at_work = [spawn(lambda n=n: write_on(board, n, paths[n])) for n in range(writers)]
    looking = [spawn(lambda: read_for(board, paths, seconds, writing)) for _ in range(readers)]
    os.close(writing)
    failed = sum(os.waitpid(pid, 0)[1] != 0 for pid in looking)
    board.add(board.files)
    failed += sum(os.waitpid(pid, 0)[1] != 0 for pid in at_work)
    totals = [0, 0, 0]
    with open(reading, "rb") as file:
        for values in struct.iter_unpack("QQQ", file.read()):
            totals = [a + b for a, b in zip(totals, values)]
    if failed:
        raise AssertionError(f"{failed} of the writers and readers failed")
    return tuple(totals)


def spawn(work):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            random.seed(os.getpid())
            work()
            status = 0
        finally:
            os._exit(status)
    return pid
