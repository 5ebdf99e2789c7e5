#!/usr/bin/env python3
"""Measures one Picket on a private tmpfs (tests/integration/picket_world.py); writes the JSON named by its argument."""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../tests/integration"))
sys.path.insert(0, os.path.dirname(__file__))
from measure import memory_kb, tree  # noqa: E402
from picket_world import World, wait_for  # noqa: E402

FILES = 500
LATENCY = os.environ["PICKET_OPEN_LATENCY"]


def latency(directory, rounds):
    return json.loads(subprocess.run([LATENCY, directory, str(rounds)], check=True, stdout=subprocess.PIPE).stdout)


def fill(directory):
    os.makedirs(directory, exist_ok=True)
    for i in range(FILES):
        with open(os.path.join(directory, f"{i:04}"), "wb") as file:
            file.write((f"int function_{i}(int x) {{ return x + {i}; }}\n" * 60).encode())


def main():
    result = {"machine": f"{os.cpu_count()} processors, kernel {platform.release()}", "files": FILES}
    with tempfile.TemporaryDirectory(dir="/dev/shm") as native:
        fill(native)
        latency(native, 1)
        result["open_native"] = latency(native, 20)
    world = World()
    try:
        fill(world.path("files"))
        time.sleep(1)  # so old that verdicts are remembered, and what CLOSE_WRITE asked for is done
        world.end("gate")  # its cache goes with it
        start = time.monotonic()
        world.start_gate()
        world.write("first", b"x")
        wait_for(lambda: world.health()["statistics"]["events"] > 0 or world.open_errno(world.path("first")), "the first event", 60)
        result["start_to_first_answer_ms"] = round((time.monotonic() - start) * 1000)
        world.wait_protected()
        result["open_cold"] = latency(world.path("files"), 1)
        result["open_cached"] = latency(world.path("files"), 20)
        result["gate_rss_kb"] = memory_kb(world.processes["gate"].pid, "Rss")
        result["guard_rss_kb"] = memory_kb(world.processes["guard"].pid, "Rss")
        for workers in (1, 4):
            world.end("engine", 15)
            world.start_engine(workers)
            wait_for(lambda count=workers: world.health()["engine_workers"] == count, f"{workers} workers")
            result[f"engine_pss_{workers}_workers_kb"] = sum(
                memory_kb(pid, "Pss") for pid in tree(world.processes["engine"].pid))
    finally:
        world.close()
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    show(result)


def show(result):
    print(result["machine"])
    native = result["open_native"]
    print(f"{'open()':<24}{'p50 µs':>10}{'p99 µs':>10}{'p50 ratio':>12}")
    for name in ("open_native", "open_cached", "open_cold"):
        row = result[name]
        print(f"{name[5:]:<24}{row['p50_ns'] / 1000:>10.1f}{row['p99_ns'] / 1000:>10.1f}{row['p50_ns'] / native['p50_ns']:>12.1f}")
    for name, value in result.items():
        if isinstance(value, int):
            print(f"{name:<34}{value:>10}")


if __name__ == "__main__":
    main()
