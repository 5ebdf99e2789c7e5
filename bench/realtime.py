#!/usr/bin/env python3
"""What real-time protection costs: the same work native, under Picket and under clamonacc, in turns; and scans on demand
beside clamdscan's. Writes the JSON named by its argument and prints the table; with --document also docs/performance.md."""

import itertools
import json
import os
import platform
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../tests/integration"))
sys.path.insert(0, os.path.dirname(__file__))
import peers  # noqa: E402
import plot  # noqa: E402
from measure import median_of, memory_kb, processor_seconds, run, seconds, tree, write_document  # noqa: E402
from picket_world import DEFINITIONS, World, wait_for  # noqa: E402

LATENCY = os.path.abspath(os.environ["PICKET_OPEN_LATENCY"])
MARKS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "marks.py")
ROUNDS = int(os.environ.get("PICKET_BENCH_ROUNDS", "5"))
FILES = 1195  # as many as the peers were first measured with
FILES_ON_DEMAND = 10_000
SOURCES = 50
OPENERS = 50


def system_files():
    for place in ("/usr/include", "/usr/share/doc", "/usr/lib/python3", "/usr/share"):
        for path, folders, names in os.walk(place):
            folders.sort()
            for source in (os.path.join(path, name) for name in sorted(names)):
                if os.path.isfile(source) and os.path.getsize(source) > 0:
                    yield source


def copy_files(files, most):
    """So many files of the system, the first 2,000 in the folder itself, the others in folders of as many."""
    for count, source in enumerate(itertools.islice(system_files(), most)):
        folder = os.path.join(files, str(count // 2000)) if count >= 2000 else files
        os.makedirs(folder, exist_ok=True)
        shutil.copy(source, os.path.join(folder, f"{count:04}-{os.path.basename(source)}"))


def fill(directory):
    """Files of the system, root's alone to write; a package of them; a repository; a program in C."""
    files = os.path.join(directory, "files")
    copy_files(files, FILES)
    project = os.path.join(directory, "project")
    os.makedirs(project)
    rules = ["all: " + " ".join(f"{i}.o" for i in range(SOURCES))]
    for i in range(SOURCES):
        with open(os.path.join(project, f"{i}.c"), "w", encoding="ascii") as file:
            file.write("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n" +
                       "".join(f"int f{i}_{n}(int x) {{ return x * {n} + (int)strlen(\"{n}\"); }}\n" for n in range(200)))
        rules.append(f"{i}.o: {i}.c\n\tcc -O1 -c {i}.c -o {i}.o")
    with open(os.path.join(project, "Makefile"), "w", encoding="ascii") as file:
        file.write("\n".join(rules) + "\n")
    package = os.path.join(directory, "package")
    shutil.copytree(files, os.path.join(package, "usr/share/bench"))
    os.makedirs(os.path.join(package, "DEBIAN"))
    with open(os.path.join(package, "DEBIAN/control"), "w", encoding="ascii") as file:
        file.write("Package: bench\nVersion: 1\nArchitecture: all\nMaintainer: bench\nDescription: files\n")
    run("dpkg-deb", "-Znone", "-b", package, os.path.join(directory, "bench.deb"))
    shutil.rmtree(package)
    run("git", "init", "-q", cwd=project)
    run("git", "add", ".", cwd=project)


class Work:
    """What is measured in one directory; every figure is in seconds, but for the latencies."""

    def __init__(self, directory):
        self.directory = directory

    def latency(self, rounds):
        made = subprocess.run([LATENCY, os.path.join(self.directory, "files"), str(rounds)], check=True, stdout=subprocess.PIPE)
        return json.loads(made.stdout)

    def cat(self):
        run("find", os.path.join(self.directory, "files"), "-type", "f", "-exec", "cat", "{}", ";")

    def tar(self):
        run("sh", "-c", "tar c files | cat >/dev/null", cwd=self.directory)

    def status(self):
        run("git", "status", "--short", cwd=os.path.join(self.directory, "project"))

    def openers(self):
        """So many processes open the same files at once."""
        readers = [subprocess.Popen([LATENCY, os.path.join(self.directory, "files"), "1"], stdout=subprocess.DEVNULL)
                   for _ in range(OPENERS)]
        for reader in readers:
            if reader.wait() != 0:
                raise RuntimeError("a reader failed")

    def package(self):
        """dpkg -i of a package with as many files, into a root of its own: all of them written, synced, renamed."""
        database = os.path.join(self.directory, "root/var/lib/dpkg")
        os.makedirs(os.path.join(database, "info"), exist_ok=True)
        for name in ("status", "available"):
            open(os.path.join(database, name), "ab").close()
        run("dpkg", "--root", os.path.join(self.directory, "root"), "--force-not-root", "--force-depends", "-i",
            os.path.join(self.directory, "bench.deb"))

    def make(self):
        run("make", "-B", "-j2", cwd=os.path.join(self.directory, "project"))

    def measure_known(self):
        """Of files that are there, and do not change."""
        results = {"open_first": self.latency(1), "cat_first": seconds(self.cat), "open_warm": self.latency(5),
                   "cat_warm": seconds(self.cat), "tar_warm": seconds(self.tar)}
        self.status()
        results["git_status_warm"] = seconds(self.status)
        results["openers_warm"] = seconds(self.openers)
        return results

    def measure(self):
        results = self.measure_known()
        results["package"] = seconds(self.package)
        self.make()
        results["make_warm"] = seconds(self.make)
        return results


def native(place):
    directory = os.path.join(place, "native")
    os.makedirs(directory)
    fill(directory)
    try:
        return Work(directory).measure()
    finally:
        shutil.rmtree(directory)


def with_marks(_):
    """What the kernel takes for marks that say not to ask, with nobody behind them."""
    directory = f"/dev/shm/picket-marks-{os.getpid()}"
    os.makedirs(directory)
    marks = None
    try:
        run("mount", "-t", "tmpfs", "marks", directory)
        fill(directory)
        marks = subprocess.Popen([sys.executable, MARKS, directory], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if marks.stdout.readline() != "ready\n":
            raise RuntimeError("no marks")
        return Work(directory).measure_known()
    finally:
        if marks is not None:
            marks.communicate("", 15)
        subprocess.run(["umount", "--lazy", directory], check=False)
        os.rmdir(directory)


def with_picket(_):
    world = World()
    try:
        fill(world.watched)
        time.sleep(1)  # so old that a verdict is remembered
        results = Work(world.watched).measure()
        results["statistics"] = world.health()["statistics"]
        results["memory_kb"] = sum(memory_kb(pid) for name in ("gate", "guard", "engine")
                                   for pid in tree(world.processes[name].pid))
        return results
    finally:
        world.close()


def with_clamonacc(place):
    directory = os.path.join(place, "clam")
    os.makedirs(directory)
    clam = None
    try:
        clam = peers.Clam(os.path.join(place, "clamd"), DEFINITIONS, directory)
        fill(directory)
        time.sleep(1)
        results = Work(directory).measure()
        results["memory_kb"] = sum(memory_kb(process.pid) for process in clam.processes)
        return results
    finally:
        if clam is not None:
            clam.close()
        shutil.rmtree(directory)


def on_demand(with_peer):
    """The same tree scanned first and again: by Picket through its verbs, by clamdscan --multiscan."""
    results = {}
    world = World()
    try:
        world.write_profile({"antivirusEngine": {"enforcementLevel": "on_demand"}})
        wait_for(lambda: world.health()["enforcement_level"] == "on_demand", "the profile")
        copy_files(world.watched, FILES_ON_DEMAND)
        time.sleep(1)

        def pids():
            return [pid for name in ("gate", "engine") for pid in tree(world.processes[name].pid)]

        def scan():
            run(os.path.join(os.environ["PICKET_BIN"], "picket"), "scan", "custom", "--path", world.watched, "--socket",
                world.socket_path("control"))

        world.end("engine", 15)
        world.start_engine(0)  # as many workers as it takes by itself
        wait_for(lambda: world.health()["engine_workers"] > 2, "the workers")
        before = processor_seconds(pids())
        results["scan_first"] = seconds(scan)
        results["scan_first_cpu"] = processor_seconds(pids()) - before
        results["scan_repeat"] = seconds(scan)
        results["walk"] = seconds(lambda: run("find", world.watched, "-size", "+0"))
        if with_peer:
            results["library_cpu"] = peers.library_seconds(world.base, DEFINITIONS, world.watched)
            clam = peers.Clam(os.path.join(world.base, "clamd"), DEFINITIONS)
            try:
                before = processor_seconds([clam.clamd])
                results["clamdscan_first"] = seconds(lambda: clam.scan(world.watched))
                results["clamdscan_first_cpu"] = processor_seconds([clam.clamd]) - before
                results["clamdscan_repeat"] = seconds(lambda: clam.scan(world.watched))
            finally:
                clam.close()
    finally:
        world.close()
    return results


def measure():
    place = f"/dev/shm/picket-bench-{os.getpid()}"
    has_peers = peers.fetch()
    runs = {"native": native, "marks": with_marks, "picket": with_picket}
    if has_peers:
        runs["clamonacc"] = with_clamonacc
    rounds = {name: [] for name in runs}
    scans = []
    os.makedirs(place)
    try:
        for i in range(ROUNDS):
            print(f"round {i + 1} of {ROUNDS}", file=sys.stderr)
            for name in list(runs)[i % len(runs):] + list(runs)[:i % len(runs)]:
                rounds[name].append(runs[name](place))
            scans.append(on_demand(has_peers))
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return {"machine": f"{os.cpu_count()} processors, Linux {platform.release()}", "rounds": ROUNDS, "files": FILES,
            "load": os.getloadavg()[2], "results": {name: median_of(made) for name, made in rounds.items()},
            "on_demand": median_of(scans)}


ROWS = [("open() first, p50 µs", "open_first", "p50_ns", 1000), ("open() first, p99 µs", "open_first", "p99_ns", 1000),
        ("open() warm, p50 µs", "open_warm", "p50_ns", 1000), ("open() warm, p99 µs", "open_warm", "p99_ns", 1000),
        ("find -exec cat, after a first pass, ms", "cat_first", None, 0.001), ("find -exec cat, warm, ms", "cat_warm", None, 0.001),
        ("tar c, warm, ms", "tar_warm", None, 0.001), ("git status, warm, ms", "git_status_warm", None, 0.001),
        (f"{OPENERS} processes open all files, warm, ms", "openers_warm", None, 0.001),
        (f"dpkg -i of {FILES:,} files, ms", "package", None, 0.001),
        ("make -B -j2, warm, s", "make_warm", None, 1), ("memory (PSS), MB", "memory_kb", None, 1024)]
SCANS = [("first", "scan_first", "clamdscan_first"), ("first, processor time", "scan_first_cpu", "clamdscan_first_cpu"),
         ("repeat", "scan_repeat", "clamdscan_repeat")]


def table(result):
    names = list(result["results"])
    lines = ["| | " + " | ".join(names) + " | " + " | ".join(f"{name} ÷ native" for name in names[1:]) + " |",
             "|---|" + "---:|" * (2 * len(names) - 1)]
    for label, key, part, unit in ROWS:
        values = [result["results"][name].get(key) for name in names]
        values = [value[part] if part and value else value for value in values]
        shown = ["–" if value is None else f"{value / unit:.1f}" for value in values]
        ratios = ["–" if not values[0] or value is None else f"{value / values[0]:.2f}" for value in values[1:]]
        lines.append(f"| {label} | " + " | ".join(shown) + " | " + " | ".join(ratios) + " |")
    return lines


def goals(result):
    """What was wanted, what was reached, and what bounds it, all as ratios within the run."""
    made, scans = result["results"], result["on_demand"]

    def ratio(key, above, below, part=None):
        if above not in made:
            return None
        values = [made[name][key][part] if part else made[name][key] for name in (above, below)]
        return values[0] / values[1]

    def scan_ratio(above, below):
        return scans[above] / max(scans[below], 1e-6) if above in scans and below in scans else None

    def shown(value):
        return "–" if value is None else f"{value:.2f}" if value < 10 else f"{value:.0f}"

    def by(value, why):
        return f"{shown(value)}: {why}"

    rows = [("a warm open ≤ 1.15 × native", ratio("open_warm", "picket", "native", "p50_ns"),
             by(ratio("open_warm", "marks", "native", "p50_ns"), "the kernel, where marks say not to ask and nobody is behind them")),
            ("find -exec cat, warm, ≤ 1.1 × native", ratio("cat_warm", "picket", "native"), ""),
            ("… and ≥ 15 × faster than clamonacc", ratio("cat_warm", "clamonacc", "picket"),
             by(ratio("cat_warm", "clamonacc", "native"), "native itself: most of it is the start of 1,195 programs")),
            ("tar, warm (no goal)", ratio("tar_warm", "picket", "native"),
             by(ratio("tar_warm", "marks", "native"), "the kernel, as above")),
            ("make -j2, warm, ≤ 1.05 × native", ratio("make_warm", "picket", "native"), ""),
            ("a repeated scan ≥ 100 × faster than clamdscan's", scan_ratio("clamdscan_repeat", "scan_repeat"),
             by(scan_ratio("clamdscan_repeat", "walk"), "find(1) alone, which looks at each file's size")),
            ("a first scan ≥ 1.3 × less processor time than clamdscan", scan_ratio("clamdscan_first_cpu", "scan_first_cpu"),
             by(scan_ratio("clamdscan_first_cpu", "library_cpu"), "the library alone, in one thread of one program (clamscan)"))]
    lines = ["| wanted | reached | what bounds it |", "|---|---:|---|"]
    return lines + [f"| {goal} | {shown(value)} | {why} |" for goal, value, why in rows]


def picture(result):
    names = [name for name in result["results"] if name not in ("native", "marks")]
    rows = []
    for label, key, part, _ in ROWS:
        values = {name: made.get(key) for name, made in result["results"].items()}
        values = {name: value[part] if part and value else value for name, value in values.items()}
        if values["native"]:
            rows.append((label.rsplit(", ", 1)[0] if not part else label.rsplit(" ", 1)[0],
                         [value and value / values["native"] for value in (values[name] for name in names)]))
    return plot.bars("Times what it costs without real-time protection", names, rows)


def scan_table(result):
    scans = result["on_demand"]
    lines = [f"| {FILES_ON_DEMAND:,} files on demand, s | picket scan | clamdscan --multiscan | clamdscan ÷ picket |", "|---|---:|---:|---:|"]
    for label, ours, theirs in SCANS:
        other = scans.get(theirs)
        lines.append(f"| {label} | {scans[ours]:.3f} | " + (f"{other:.3f} | {other / max(scans[ours], 1e-6):.1f} |" if other is not None else "– | – |"))
    return lines


def main():
    document = "--document" in sys.argv
    output = [argument for argument in sys.argv[1:] if argument != "--document"][0]
    result = measure()
    with open(output, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    text = "\n".join([f"{result['machine']}; medians of {result['rounds']} rounds, each tool in turn.", ""] +
                     table(result) + [""] + scan_table(result) + [""] + goals(result)) + "\n"
    print(text)
    if document:
        write_document("bench realtime", text)
        with open("docs/performance.svg", "w", encoding="utf-8") as file:
            file.write(picture(result))


if __name__ == "__main__":
    main()
