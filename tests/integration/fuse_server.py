"""A FUSE file system of a few files, spoken by hand (linux/fuse.h), whose server can fall silent."""

import ctypes
import errno
import os
import struct
import sys
import threading
import time

from picket_world import LIBC

LOOKUP, FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, STATFS, RELEASE = 1, 2, 3, 4, 14, 15, 16, 17, 18
FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR, INTERRUPT, BATCH_FORGET = 25, 26, 27, 28, 29, 36, 42
UNANSWERED = (FORGET, INTERRUPT, BATCH_FORGET)
ROOT = 1
DIRECTORY, REGULAR = 0o040755, 0o100644
HEADER = 40
DIRECT_IO = 1  # every read asks the server
WRITEBACK = 1 << 16  # what is written stays in the host's memory for now


class FuseServer:
    """`silent`: kinds of requests that are not answered for now; answer() answers those that came meanwhile. `user`: who
    has mounted it, as far as the kernel shows."""

    def __init__(self, at, files, user=0, writeback=False):
        self.at, self.files = at, dict(files)
        self.names = list(self.files)
        self.silent, self.kept = set(), []
        self.silent_for = None
        self.writeback = writeback
        self.lock = threading.Lock()
        self.device = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={self.device},rootmode=40000,user_id={user},group_id=0,allow_other"
        if LIBC.mount(b"picket-test", at.encode(), b"fuse", 0, options.encode()) != 0:
            raise OSError(ctypes.get_errno(), "mount " + at)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def close(self):
        """Whoever still waits is let go (umount2(2), MNT_FORCE ends the connection)."""
        if self.device < 0:
            return
        LIBC.umount2(self.at.encode(), 1)
        LIBC.umount2(self.at.encode(), 2)
        self.thread.join(5)
        os.close(self.device)
        self.device = -1

    def fall_silent(self, *kinds, to=None):
        """`to`: that user only."""
        with self.lock:
            self.silent, self.silent_for = set(kinds), to

    def waits(self):
        with self.lock:
            return len(self.kept)

    def answer(self):
        with self.lock:
            self.silent = set()
            kept, self.kept = self.kept, []
        for request in kept:
            self.reply(request)

    def serve(self):
        while True:
            try:
                request = os.read(self.device, 1 << 17)
            except InterruptedError:
                continue
            except OSError as error:
                if error.errno == errno.ENOENT:
                    continue
                return
            kind, user = struct.unpack_from("<4xI16xI", request)
            with self.lock:
                if kind in self.silent and self.silent_for in (None, user):
                    self.kept.append(request)
                    continue
            if kind not in UNANSWERED:
                self.reply(request)

    def reply(self, request):
        _, kind, unique, node = struct.unpack_from("<IIQQ", request)
        try:
            content, error = self.content_of(kind, node, request[HEADER:]), 0
        except OSError as failure:
            content, error = b"", failure.errno
        try:
            os.write(self.device, struct.pack("<IiQ", 16 + len(content), -error, unique) + content)
        except OSError:
            pass  # who asked is gone

    def attributes(self, node):
        size = 0 if node == ROOT else len(self.files[self.names[node - 2]])
        mode = DIRECTORY if node == ROOT else REGULAR
        return struct.pack("<6Q10I", node, size, (size + 511) // 512, 1, 1, 1, 0, 0, 0, mode, 1, 12345, 0, 0, 4096, 0)

    def content_of(self, kind, node, body):
        if kind == INIT:
            return struct.pack("<4I2H2I2H8I", 7, 31, 1 << 17, WRITEBACK if self.writeback else 0, 12, 9, 1 << 16, 1, 0, 0, *([0] * 8))
        if kind == LOOKUP:
            name = body.rstrip(b"\0").decode()
            if name not in self.files:
                raise OSError(errno.ENOENT, name)
            found = self.names.index(name) + 2
            return struct.pack("<4Q2I", found, 0, 0, 0, 0, 0) + self.attributes(found)
        if kind == GETATTR:
            return struct.pack("<Q2I", 0, 0, 0) + self.attributes(node)
        if kind in (OPEN, OPENDIR):
            return struct.pack("<Q2I", 0, DIRECT_IO if kind == OPEN and not self.writeback else 0, 0)
        if kind == READ:
            _, offset, size = struct.unpack_from("<QQI", body)
            return self.files[self.names[node - 2]][offset : offset + size]
        if kind == READDIR:
            return self.entries(*struct.unpack_from("<QQI", body)[1:])
        if kind == SETATTR:
            return struct.pack("<Q2I", 0, 0, 0) + self.attributes(node)
        if kind == WRITE:
            return struct.pack("<2I", struct.unpack_from("<QQI", body)[2], 0)
        if kind == STATFS:
            return struct.pack("<5Q10I", 1000, 500, 500, 100, 50, 4096, 255, 4096, *([0] * 7))
        if kind in (FLUSH, RELEASE, RELEASEDIR):
            return b""
        raise OSError(errno.ENOSYS, "not here")

    def entries(self, offset, size):
        listing = b""
        for index, name in enumerate(self.names):
            if index < offset:
                continue
            encoded = name.encode()
            entry = struct.pack("<2Q2I", index + 2, index + 1, len(encoded), 8) + encoded
            entry += b"\0" * (-len(entry) % 8)
            if len(listing) + len(entry) > size:
                break
            listing += entry
        return listing


def main():
    """fuse_server.py DIRECTORY KIND…: mounts a file "clean" there, and is silent about those kinds."""
    server = FuseServer(sys.argv[1], {"clean": b"harmless" * 1000})
    server.fall_silent(*(globals()[kind] for kind in sys.argv[2:]))
    print("mounted", flush=True)
    while True:
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
