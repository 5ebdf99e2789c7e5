#!/usr/bin/env python3
"""The gate beside an engine that an attacker has taken over: it lies, stammers, floods. Nobody waits longer than the
deadline, the gate lives on, health tells, and a good engine ends it."""

import errno
import os
import re
import socket
import struct
import sys
import threading
import time
import unittest
from pathlib import Path

from picket_world import ENGINE_UID, World, eicar, wait_for

PROTOCOL = Path(__file__).resolve().parents[2] / "libs/scan/include/picket/scan/engine_protocol.h"
VERSION = int(re.search(r"kProtocolVersion = (\d+);", PROTOCOL.read_text()).group(1))
MAGIC, CONTROL, WORKER, READY = 0x54434B50, 1, 2, 2
CLEAN, MALICIOUS = 0, 1
DEFINITIONS = b"g1"
REPLY = "<IB3xQQ128s"


def hello(role, pid):
    return struct.pack("<IIIIQ64s32sII", MAGIC, VERSION, role, pid, 1 if role == WORKER else 0, DEFINITIONS if role == WORKER else b"", b"1.0", 1, 0)


def status(sequence):
    return struct.pack("<IIIIQQ64s128s", MAGIC, READY, sequence, 1, 0, 0, DEFINITIONS, b"")


def reply(request_id, verdict=CLEAN, threat=b""):
    return struct.pack(REPLY, MAGIC, verdict, request_id, 1, threat)


# Each gets the worker's connection and the number of the question.
ANSWERS = {
    "lies": lambda worker, number: worker.send(reply(number)),
    "calls_all_bad": lambda worker, number: worker.send(reply(number, MALICIOUS, b"Lie")),
    "answers_another_question": lambda worker, number: worker.send(reply(number + 7)),
    "answers_twice": lambda worker, number: (worker.send(reply(number)), worker.send(reply(number, MALICIOUS, b"Twice"))),
    "sends_garbage": lambda worker, number: worker.send(os.urandom(152)),
    "sends_a_short_record": lambda worker, number: worker.send(reply(number)[:40]),
    "sends_a_huge_record": lambda worker, number: worker.send(b"x" * 100_000),
    "names_an_unknown_verdict": lambda worker, number: worker.send(reply(number, 200)),
    "names_a_threat_that_is_no_text": lambda worker, number: worker.send(reply(number, MALICIOUS, b"\x1b[2J" * 32)),
    "sends_a_descriptor": lambda worker, number: socket.send_fds(worker, [reply(number)], [0]),
    "closes": lambda worker, number: worker.close(),
    "says_nothing": lambda worker, number: None,
}


class HostileEngine:
    """A process of the engine's user that speaks the engine's protocol as one of ANSWERS does."""

    def __init__(self, path, answer):
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setgid(ENGINE_UID)
                os.setuid(ENGINE_UID)
                self.serve(path, ANSWERS[answer])
            finally:
                os._exit(0)

    @staticmethod
    def connect(path, role):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.connect(path)
        connection.send(hello(role, os.getpid()))
        return connection

    def serve(self, path, answer):
        control = self.connect(path, CONTROL)
        control.send(status(0))
        threading.Thread(target=self.work, args=(path, answer), daemon=True).start()
        while command := control.recv(1024):
            control.send(status(struct.unpack("<IIII", command)[3]))

    def work(self, path, answer):
        while True:
            try:
                worker = self.connect(path, WORKER)
                while True:
                    request, descriptors, _, _ = socket.recv_fds(worker, 1024, 4)
                    for descriptor in descriptors:
                        os.close(descriptor)
                    if not request:
                        break
                    answer(worker, struct.unpack("<IIQII", request)[2])
            except OSError:
                time.sleep(0.05)

    def end(self):
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)


class Hostile(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)
        self.world.write_profile({"realTimeProtection": {"openDeadlineMs": 1000}})
        self.gate = self.world.processes["gate"].pid
        self.world.end("engine", 15)

    def issues(self):
        return [issue["name"] for issue in self.world.health()["health_issues"]]

    def attack(self, answer):
        engine = HostileEngine(self.world.socket_path("engine"), answer)
        self.addCleanup(lambda: os.path.exists(f"/proc/{engine.pid}") and engine.end())
        wait_for(lambda: self.world.health()["engine_status"] != "unavailable", "the hostile engine")
        return engine

    def assert_good_engine_protects(self):
        self.world.start_engine()
        self.world.wait_protected()
        writer = self.world.write("eicar", eicar(), close=False)
        wait_for(lambda: self.world.open_errno(self.world.path("eicar")) == errno.EPERM, "a denied open")
        writer.close()

    def test_one_that_lies_is_found_out_by_the_probe(self):
        for answer in ("lies", "calls_all_bad"):
            with self.subTest(answer):
                engine = self.attack(answer)
                wait_for(lambda: "engine_probe_failed" in self.issues(), "the issue", 60)
                self.assertFalse(self.world.health()["healthy"])
                engine.end()
        self.assert_good_engine_protects()
        wait_for(lambda: "engine_probe_failed" not in self.issues(), "its end", 60)

    def test_one_that_breaks_the_rules_holds_nobody_and_harms_nothing(self):
        for number, answer in enumerate(sorted(set(ANSWERS) - {"lies", "calls_all_bad"})):
            with self.subTest(answer):
                engine = self.attack(answer)
                for i in range(5):
                    name = f"{number}-{i}"
                    self.world.write(name, b"clean " + name.encode())
                    start = time.monotonic()
                    self.assertEqual(self.world.open_errno(self.world.path(name)), 0)
                    self.assertLess(time.monotonic() - start, 20)  # the deadline is 1 s; the machine may be busy
                engine.end()
                self.assertEqual(self.world.processes["gate"].poll(), None)
        self.assertEqual(self.world.events("threat.quarantined"), [])
        self.assert_good_engine_protects()

    def test_many_connections_are_bounded_and_a_good_engine_still_gets_in(self):
        path = self.world.socket_path("engine")
        pid = os.fork()
        if pid == 0:
            try:
                os.setgid(ENGINE_UID)
                os.setuid(ENGINE_UID)
                held = []
                for _ in range(2000):
                    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                    connection.setblocking(False)
                    try:
                        connection.connect(path)
                        held.append(connection)
                    except OSError:
                        connection.close()
                time.sleep(600)
            finally:
                os._exit(0)
        try:
            wait_for(lambda: len(os.listdir(f"/proc/{self.gate}/fd")) > 20, "connections")
            self.assertLess(len(os.listdir(f"/proc/{self.gate}/fd")), 1000)
            self.assert_good_engine_protects()
        finally:
            os.kill(pid, 9)
            os.waitpid(pid, 0)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
