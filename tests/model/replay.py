#!/usr/bin/env python3
"""What a real gate does with the descriptor numbers of its events, held to the rules of the model (rules.pml).

strace writes down every event that picketd reads, every answer and every close, while files are opened by many, written,
denied, and let go because the engine dies. Spin then runs that as a Promela program whose statements are the model's own
rules. So that it is known to bite, it must refuse the same trace with one answer left out, one given twice, and one given
after the close.

replay.py FOLDER (for what is made)
"""

import os
import re
import shutil
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))
from picket_world import World, eicar, wait_for  # noqa: E402

QUESTIONS = 0x10000 | 0x40000  # FAN_OPEN_PERM, FAN_OPEN_EXEC_PERM
EVENT = struct.Struct("=IBBHQii")  # struct fanotify_event_metadata
GROUP = r"\d+<" + "".join(r"\\x%02x" % byte for byte in b"anon_inode:[fanotify]") + ">"
CALL = re.compile(r"^(\d+) +(?:<\.\.\. )?(\w+)(?: resumed>)?\(?(.*)$")


class TracedWorld(World):
    """Its gate is watched from its first event on: the engine is not there yet."""

    def start_gate(self):
        super().start_gate()
        self.trace = os.path.join(self.base, "gate.strace")
        self.strace = subprocess.Popen(
            ["strace", "-f", "-y", "-xx", "-s", "8192", "-e", "trace=read,write,close", "-o", self.trace, "-p",
             str(self.processes["gate"].pid)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: os.path.exists(self.trace) and os.path.getsize(self.trace) > 0, "strace")


def live(world):
    """The life of a busy gate."""

    def open_many(number):
        for i in range(40):
            world.open_errno(world.path(f"clean-{(i + number) % 20}"))

    for i in range(20):
        world.write(f"clean-{i}", b"nothing bad is in here, %d\n" % i)
        os.chmod(world.path(f"clean-{i}"), 0o666)  # asked about at each open: others than root may write to it
    held = world.write("bad", eicar(), close=False)
    threads = [threading.Thread(target=open_many, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    denied = sum(world.open_errno(world.path("bad")) != 0 for _ in range(10))
    for thread in threads:
        thread.join()
    held.close()
    world.end("engine")
    for i in range(20):
        world.write(f"clean-{i}", b"changed, and nobody is there to judge it\n")
        world.open_errno(world.path(f"clean-{i}"))
    world.start_engine()
    world.wait_protected()
    world.open_errno(world.path("clean-1"))
    return denied


def unescaped(text):
    """The bytes of the first string in strace's hexadecimal notation."""
    found = re.search(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?', text)
    if found is None or found.group(2):
        raise AssertionError(f"not a whole buffer: {text[:200]}")
    return bytes.fromhex(found.group(1).replace("\\x", ""))


def steps_of(trace):
    """[(rule, number)]: reads count when they return, answers and closes when they are called."""
    steps, reading = [], set()
    for line in trace.splitlines():
        call = CALL.match(line)
        if call is None:
            continue
        thread, name, rest = call.groups()
        resumed = "resumed>" in line
        if name == "read" and (resumed and thread in reading or re.match(GROUP, rest)):
            if rest.endswith("<unfinished ...>"):
                reading.add(thread)
                continue
            reading.discard(thread)
            if int(rest.rsplit("= ", 1)[1].split()[0].split("<")[0]) > 0:
                steps += events_in(unescaped(rest))
        elif name == "write" and not resumed and re.match(GROUP, rest):
            number, _ = struct.unpack("=iI", unescaped(rest))
            steps.append(("ANSWER", number))
        elif name == "close" and not resumed:
            steps.append(("CLOSE", int(re.match(r"(\d+)", rest).group(1))))
    return only_events(steps)


def events_in(buffer):
    while buffer:
        length, _, _, _, mask, number, _ = EVENT.unpack_from(buffer)
        if number >= 0:
            yield ("READ_QUESTION" if mask & QUESTIONS else "READ_NOTICE"), number
        buffer = buffer[length:]


def only_events(steps):
    """Without the closes of descriptors that were none of an event."""
    kept, events = [], set()
    for rule, number in steps:
        if rule.startswith("READ"):
            events.add(number)
        elif rule == "CLOSE" and number not in events:
            continue
        elif rule == "CLOSE":
            events.discard(number)
        kept.append((rule, number))
    return kept


def is_right(steps, folder, name):
    """What spin says of it; its words are in FOLDER/NAME.log."""
    numbers = {number: index for index, number in enumerate(sorted({number for _, number in steps}))}
    with open(os.path.join(folder, name + ".pml"), "w", encoding="ascii") as file:
        file.write(f'#define NUMBERS {len(numbers)}\n#include "rules.pml"\ninit {{\n')
        file.writelines(f"  RULE_{rule}({numbers[number]});\n" for rule, number in steps)
        file.writelines(f"  assert(number_is[{index}] != ASKED);\n" for index in numbers.values())
        file.write('  printf("REPLAYED\\n")\n}\n')
    done = subprocess.run(["spin", name + ".pml"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    with open(os.path.join(folder, name + ".log"), "w", encoding="utf-8") as file:
        file.write(done.stdout)
    if "REPLAYED" not in done.stdout and "assertion violated" not in done.stdout:
        raise AssertionError(f"spin ended otherwise: {done.stdout[-2000:]}")
    return "REPLAYED" in done.stdout


def spoiled(steps):
    """{what is wrong: the trace with that}"""
    at = next(i for i, (rule, _) in enumerate(steps) if rule == "ANSWER" and i > len(steps) // 2)
    close = next(i for i in range(at, len(steps)) if steps[i] == ("CLOSE", steps[at][1]))
    return {
        "an answer left out": steps[:at] + steps[at + 1:],
        "an answer given twice": steps[:at + 1] + [steps[at]] + steps[at + 1:],
        "an answer after the close": steps[:at] + steps[at + 1:close + 1] + [steps[at]] + steps[close + 1:],
    }


def main():
    folder = sys.argv[1]
    shutil.copy(os.path.join(HERE, "rules.pml"), folder)
    world = TracedWorld()
    try:
        denied = live(world)
        time.sleep(0.5)  # what was asked last is answered
        world.strace.terminate()
        world.strace.wait(20)
        with open(world.trace, encoding="ascii") as file:
            trace = file.read()
    finally:
        world.close()
    steps = steps_of(trace)
    counts = {rule: sum(1 for step in steps if step[0] == rule) for rule in ("READ_QUESTION", "READ_NOTICE", "ANSWER", "CLOSE")}
    print(f"{counts}; {denied} of 10 opens of malware denied")
    faults = []
    if denied != 10 or counts["READ_QUESTION"] < 200 or counts["READ_NOTICE"] < 20:
        faults.append("too little happened for a proof")
    if not is_right(steps, folder, "real"):
        faults.append(f"the real trace breaks a rule: {folder}/real.log")
    for what, wrong in spoiled(steps).items():
        if is_right(wrong, folder, what.replace(" ", "_")):
            faults.append(f"{what}, and no rule is broken")
        else:
            print(f"ok   {what} is found")
    for fault in faults:
        print("FAIL", fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
