#!/usr/bin/env python3
"""What definitions take, few and three million of them, by Picket and by clamd with clamonacc: time to load, memory, and what
opens notice of a change. Writes the JSON named by its argument and prints the table; with --document also
docs/performance.md."""

import json
import os
import platform
import random
import shutil
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../tests/integration"))
sys.path.insert(0, os.path.dirname(__file__))
import peers  # noqa: E402
from measure import memory_kb, running_seconds, tree, write_document  # noqa: E402
from picket_world import DEFINITIONS, World, wait_for  # noqa: E402

SIGNATURES = int(os.environ.get("PICKET_BENCH_SIGNATURES", "3000000"))
IDLE_SECONDS = 20
LOAD_TIMEOUT = 300


def make_many(path):
    """So many digests of nothing: .hdb lines, as most of ClamAV's own signatures are."""
    dice = random.Random(1)
    with open(path, "w", encoding="ascii") as file:
        for number in range(SIGNATURES):
            file.write(f"{dice.getrandbits(128):032x}:{dice.randrange(1000, 10**7)}:Bench.{number}\n")


class Opens:
    """Somebody who writes a file and opens it, again and again, and notes how long each open took."""

    def __init__(self, directory):
        self.directory = directory
        self.took = []
        self.failed = 0
        self.ends = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        number = 0
        while not self.ends:
            number += 1
            path = os.path.join(self.directory, f"opened-{number % 50}")
            with open(path, "wb") as file:
                file.write(f"int f{number}(void) {{ return {number}; }}\n".encode() * 40)
            start = time.monotonic()
            try:
                os.close(os.open(path, os.O_RDONLY))
            except OSError:
                self.failed += 1
            self.took.append(time.monotonic() - start)

    def end(self):
        self.ends = True
        self.thread.join()
        took = sorted(self.took)
        return {"opens": len(took), "open_p50_ms": took[len(took) // 2] * 1000,
                "open_p99_ms": took[len(took) * 99 // 100] * 1000, "open_longest_ms": took[-1] * 1000, "open_failed": self.failed}


class Peak:
    """The most memory that was seen."""

    def __init__(self, memory):
        self.most = 0
        self.ends = False
        self.thread = threading.Thread(target=self.run, args=(memory,))
        self.thread.start()

    def run(self, memory):
        while not self.ends:
            try:
                self.most = max(self.most, memory())
            except (OSError, StopIteration):  # a process that has just ended
                pass
            time.sleep(0.1)

    def end(self):
        self.ends = True
        self.thread.join()
        return self.most


def reload(directory, memory, change):
    """`change` returns when the new definitions serve."""
    opens, peak = Opens(directory), Peak(memory)
    try:
        time.sleep(1)
        start = time.monotonic()
        change()
        took = time.monotonic() - start
    finally:
        result = {"reload_peak_kb": peak.end(), **opens.end()}
    return {"reload_s": took, **result}


def idle(pids):
    time.sleep(10)  # what comes of a start is over
    before = running_seconds(pids())
    time.sleep(IDLE_SECONDS)
    return (running_seconds(pids()) - before) / IDLE_SECONDS * 100


def picket(many):
    world = World()
    try:
        def serves(name):
            return lambda: world.health()["definitions_version"] == name

        names = ("g1", "g2")
        for name in names[0 if many else 1:]:
            target = world._definitions(name)
            if many:
                shutil.copy(many, os.path.join(target, "many.hdb"))
        if many:
            world.end("engine", 15)
        world.point_definitions("g1")
        result = {}
        for workers in (1, 4):
            if "engine" in world.processes:
                world.end("engine", 15)
            start = time.monotonic()
            world.start_engine(workers)
            wait_for(lambda count=workers: world.health()["engine_workers"] == count, "the workers", LOAD_TIMEOUT)
            result["load_s"] = time.monotonic() - start
            result[f"memory_{workers}_kb"] = sum(memory_kb(pid) for pid in tree(world.processes["engine"].pid))

        def pids():
            return [pid for name in ("gate", "guard", "engine", "remedy") for pid in tree(world.processes[name].pid)]

        def memory():
            return sum(memory_kb(pid) for pid in pids())

        result["idle_percent"] = idle(pids)
        before = world.health()["statistics"]

        def change():
            world.point_definitions("g2")
            wait_for(serves("g2"), "the new definitions", LOAD_TIMEOUT)

        result.update(reload(world.watched, memory, change))
        after = world.health()["statistics"]
        result["unscanned"] = sum(after[key] - before[key] for key in after if key.startswith("unscanned"))
        return result
    finally:
        world.close()


def clam(place, many):
    database, watched = os.path.join(place, "definitions"), os.path.join(place, "watched")
    shutil.copytree(DEFINITIONS, database)
    os.makedirs(watched)
    if many:
        shutil.copy(many, os.path.join(database, "many.hdb"))
    start = time.monotonic()
    running = peers.Clam(os.path.join(place, "clam"), database, watched)
    try:
        result = {"load_s": time.monotonic() - start}

        def pids():
            return [process.pid for process in running.processes]

        def memory():
            return sum(memory_kb(pid) for pid in pids())

        result["memory_4_kb"] = memory()
        result["idle_percent"] = idle(pids)
        result.update(reload(watched, memory, running.reload))
        return result
    finally:
        running.close()


def measure():
    place = f"/dev/shm/picket-bench-{os.getpid()}"
    os.makedirs(place)
    try:
        many = os.path.join(place, "many.hdb")
        make_many(many)
        has_peers = peers.fetch()
        results = {}
        for name, signatures in (("few", None), ("many", many)):
            results[f"picket, {name}"] = picket(signatures)
            if has_peers:
                peer_place = os.path.join(place, name)
                os.makedirs(peer_place)
                results[f"clamd, {name}"] = clam(peer_place, signatures)
                shutil.rmtree(peer_place)
        return {"machine": f"{os.cpu_count()} processors, Linux {platform.release()}", "signatures": SIGNATURES, "results": results}
    finally:
        shutil.rmtree(place, ignore_errors=True)


ROWS = [("start until it scans, s", "load_s", 1, 1), ("memory (PSS) with one worker, MB", "memory_1_kb", 1024, 0),
        ("with four workers (clamd: threads), MB", "memory_4_kb", 1024, 0), ("most during a change, MB", "reload_peak_kb", 1024, 0),
        ("a change of definitions takes, s", "reload_s", 1, 1), ("opens of new files meanwhile", "opens", 1, 0),
        ("their p50, ms", "open_p50_ms", 1, 2), ("their p99, ms", "open_p99_ms", 1, 1), ("the longest, ms", "open_longest_ms", 1, 1),
        ("failed", "open_failed", 1, 0), ("let through unscanned", "unscanned", 1, 0), ("processor when idle, %", "idle_percent", 1, 2)]


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--document"]
    result = measure()
    with open(arguments[0], "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    names = list(result["results"])
    lines = [f"{result['machine']}; few: those of the tests; many: {result['signatures']:,} digests more.", "",
             "| | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for label, key, unit, places in ROWS:
        values = [result["results"][name].get(key) for name in names]
        lines.append(f"| {label} | " + " | ".join("–" if value is None else f"{value / unit:.{places}f}" for value in values) + " |")
    text = "\n".join(lines) + "\n"
    print(text)
    if "--document" in sys.argv:
        write_document("bench definitions", text)


if __name__ == "__main__":
    main()
