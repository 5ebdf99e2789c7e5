"""Just enough io_uring to open a file and to write one: by system calls alone, no library."""

import ctypes
import errno
import mmap
import os
import struct

LIBC = ctypes.CDLL(None, use_errno=True)
SETUP, ENTER = 425, 426
OFF_SQ_RING, OFF_CQ_RING, OFF_SQES = 0, 0x8000000, 0x10000000
GETEVENTS = 1
OP_OPENAT, OP_WRITE = 18, 23
SQ_OFFSETS, CQ_OFFSETS = 40, 80  # in struct io_uring_params
AT_FDCWD = -100


class Ring:
    """One request at a time."""

    def __init__(self):
        params = ctypes.create_string_buffer(120)
        self.fd = LIBC.syscall(SETUP, 4, params)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "io_uring_setup")
        entries, completions = struct.unpack_from("II", params, 0)
        self.sq = struct.unpack_from("7I", params, SQ_OFFSETS)  # head, tail, mask, entries, flags, dropped, array
        self.cq = struct.unpack_from("6I", params, CQ_OFFSETS)  # head, tail, mask, entries, overflow, cqes
        self.sq_ring = mmap.mmap(self.fd, self.sq[6] + entries * 4, offset=OFF_SQ_RING)
        self.cq_ring = mmap.mmap(self.fd, self.cq[5] + completions * 16, offset=OFF_CQ_RING)
        self.sqes = mmap.mmap(self.fd, entries * 64, offset=OFF_SQES)

    def close(self):
        for part in (self.sq_ring, self.cq_ring, self.sqes):
            part.close()
        os.close(self.fd)

    def _submit(self, entry):
        tail, = struct.unpack_from("I", self.sq_ring, self.sq[1])
        mask, = struct.unpack_from("I", self.sq_ring, self.sq[2])
        struct.pack_into("64s", self.sqes, (tail & mask) * 64, entry)
        struct.pack_into("I", self.sq_ring, self.sq[6] + (tail & mask) * 4, tail & mask)
        struct.pack_into("I", self.sq_ring, self.sq[1], tail + 1)
        if LIBC.syscall(ENTER, self.fd, 1, 1, GETEVENTS, None, 0) < 0:
            raise OSError(ctypes.get_errno(), "io_uring_enter")
        head, = struct.unpack_from("I", self.cq_ring, self.cq[0])
        mask, = struct.unpack_from("I", self.cq_ring, self.cq[2])
        _, result, _ = struct.unpack_from("QiI", self.cq_ring, self.cq[5] + (head & mask) * 16)
        struct.pack_into("I", self.cq_ring, self.cq[0], head + 1)
        return result

    @staticmethod
    def _entry(operation, fd, address, length, offset=0, flags=0):
        return struct.pack("BBHiQQIIQ", operation, 0, 0, fd, offset, address, length, flags, 0)

    def write(self, fd, content):
        buffer = ctypes.create_string_buffer(content, len(content))
        written = self._submit(self._entry(OP_WRITE, fd, ctypes.addressof(buffer), len(content)))
        if written != len(content):
            raise OSError(-written if written < 0 else errno.EIO, "write by io_uring")

    def open(self, path):
        """The descriptor."""
        name = ctypes.create_string_buffer(path.encode())
        result = self._submit(self._entry(OP_OPENAT, AT_FDCWD, ctypes.addressof(name), 0, 0, os.O_RDONLY))
        if result < 0:
            raise OSError(-result, "open by io_uring")
        return result
