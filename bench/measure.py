"""What the measurements share."""

import glob
import os
import statistics
import subprocess
import time


def run(*command, cwd=None):
    subprocess.run(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def seconds(action):
    start = time.monotonic()
    action()
    return time.monotonic() - start


def memory_kb(pid, field="Pss"):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(field + ":"))


def tree(pid):
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], stdout=subprocess.PIPE, check=False).stdout.split()
    return [pid] + [p for child in children for p in tree(int(child))]


def processor_seconds(pids):
    ticks = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except FileNotFoundError:  # a worker whose share is done: its parent has its time
            continue
        ticks += sum(int(fields[i]) for i in (11, 12, 13, 14))
    return ticks / os.sysconf("SC_CLK_TCK")


def running_seconds(pids):
    """Like processor_seconds, of those alone that are there, and not in ticks: for what hardly runs."""
    total = 0
    for pid in pids:
        for task in glob.glob(f"/proc/{pid}/task/*/schedstat"):
            with open(task, encoding="ascii") as file:
                total += int(file.read().split()[0])
    return total / 1e9


def median_of(rounds):
    merged = {}
    for key in rounds[0]:
        values = [round_[key] for round_ in rounds]
        if isinstance(values[0], dict):
            merged[key] = {name: statistics.median(value[name] for value in values) for name in values[0]}
        else:
            merged[key] = statistics.median(values)
    return merged


def write_document(command, text, document="docs/performance.md"):
    """Puts what the command found between its marks in the document."""
    with open(document, encoding="utf-8") as file:
        page = file.read()
    begin, end = f"<!-- ./dev {command}: begin -->\n", f"<!-- ./dev {command}: end -->\n"
    head, tail = page.split(begin)[0], page.split(end)[1]
    with open(document, "w", encoding="utf-8") as file:
        file.write(head + begin + text + end + tail)
