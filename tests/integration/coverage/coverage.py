#!/usr/bin/env python3
"""Every way into a file × every file system × what kernels can mark, against a whole Picket that watches everything in a
root of its own. coverage_test.sh makes the namespaces that this needs.

Each cell begins with a clean file that was opened twice; then malware enters; then somebody opens it. What is not denied
must be a hole that report.py knows and docs/threat-model.md explains, and a hole that is none any more fails as well.
--write makes docs/coverage.md; otherwise the result is held against it.
"""

import argparse
import errno
import json
import os
import platform
import shutil
import sqlite3
import sys
import time

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import by_start
import elsewhere
import picket_world
import races
from case import TIERS, Unsupported, open_errno
from filesystems import CannotMount, all_filesystems
from own_root import OwnRoot, mount
from picket_world import LIBC, PROGRAMS, DEFINITIONS, World
from report import Report
from table import NONE, OPEN, SEEN, run_table

ENGINE_TMP = "/run/picket/engine-tmp"  # where the gate knows it
TESTFILES = "/usr/share/clamav-testfiles"
SEEN_SECONDS = 60.0
RACES_ON = ("ext4", "tmpfs", "overlay")
HEAD = """# Coverage

What happens when malware comes into a file by each of these ways, and somebody then opens it: made by
`tests/integration/coverage_test.sh --write`, and held against the product by the same test. In each cell a clean file
lies there first and was opened twice, so that whatever is remembered of it is in play; then malware enters; then it is
opened.

- **blocked**: the open was denied.
- **blocked once found**: it goes by a mount that the gate must find first (it looks once a second, and at each change of
  the host's own mount table); denied from then on.
- **seen**: this opener was let through; the file is judged when its writer closes it, and an event says so.
- **not covered**: nothing was noticed. Each is a known hole below.
- –: this file system or kernel has no such thing.

Each cell was tried with a file that only root may write and with one of an ordinary user; where they differ, it says so."""


class CoverageWorld(World):
    PATIENT = {"realTimeProtection": {"openDeadlineMs": 10000, "quarantine": "disabled"}}  # what is denied stays to be opened

    def watch_arguments(self):
        return ()

    def engine_directory(self):
        os.makedirs(ENGINE_TMP, exist_ok=True)
        if not os.path.ismount(ENGINE_TMP):
            mount("tmpfs", ENGINE_TMP, "tmpfs", 0, "mode=700")
        return ENGINE_TMP

    def _definitions(self, name):
        target = super()._definitions(name)
        with open(os.path.join(target, "marker.ndb"), "w", encoding="ascii") as file:
            file.write("Picket.Test.Marker:0:*:" + by_start.MARKER.hex() + "\n")
        return target

    def events(self, columns, kind):
        database = sqlite3.connect(f"file:{self.root}/var/lib/picket/state.db?mode=ro", uri=True)
        try:
            return database.execute(f"SELECT {columns} FROM events WHERE type = ?", (kind,)).fetchall()
        finally:
            database.close()

    def detected(self):
        return {row[0] for row in self.events("path", "threat.detected")}

    def unscanned(self):
        return self.health()["statistics"]["allowed_unscanned"]


def say(text):
    print(f"{time.monotonic() - STARTED:6.1f} s  {text}", flush=True)


def make_root(report, only):
    root = OwnRoot()
    root.python()
    for program in ("true", "sh"):
        root.program("/bin/" + program)
    picket_world.PROGRAMS, picket_world.DEFINITIONS, tests = root.picket(PROGRAMS, DEFINITIONS)
    if os.path.isdir(TESTFILES):
        shutil.copytree(TESTFILES, root.path + TESTFILES)
    by_start.make_seven_zipped(root.path + "/tmp")
    possible = []
    for filesystem in [*all_filesystems(), *elsewhere.IMAGES]:
        if only and filesystem.name not in only.split(","):
            continue
        try:
            filesystem.prepare(root)
            possible.append(filesystem)
        except CannotMount as reason:
            report.unmounted[filesystem.name] = str(reason)
    return root, [filesystem for filesystem in possible if filesystem not in elsewhere.IMAGES], tests


def mount_all(filesystems, report):
    mounted = []
    for filesystem in filesystems:
        try:
            filesystem.mount()
            os.chmod(filesystem.at, 0o755)
            mounted.append(filesystem)
        except (CannotMount, OSError) as reason:
            report.unmounted[filesystem.name] = str(reason)
    return mounted


def note_what_was_seen(world, records):
    """What was not denied may have been found when it was closed."""
    let_through = [record for records_of in records.values() for record in records_of if record["result"] == OPEN]
    end = time.monotonic() + SEEN_SECONDS
    while True:
        detected = world.detected()
        for record in let_through:
            if record["path"].encode() in detected:
                record["result"] = SEEN
        if all(record["result"] == SEEN for record in let_through) or time.monotonic() > end:
            return
        time.sleep(0.2)


def run_elsewhere(report, tier):
    for name, entrance in elsewhere.ENTRANCES.items():
        try:
            report.elsewhere[tier, name] = entrance()
        except Unsupported as reason:
            report.elsewhere[tier, name] = NONE
            say(f"{name}: {reason}")


def run_testfiles(report):
    """Debian's own files for testing ClamAV: libs/engine_core's tests hold that the definitions know every one."""
    if not os.path.isdir(TESTFILES):
        return say("clamav-testfiles is not installed")
    names = sorted(os.listdir(TESTFILES))
    opened = [name for name in names if open_errno(f"{TESTFILES}/{name}") != errno.EPERM]
    report.faults += [f"{TESTFILES}/{name} was not denied" for name in opened]
    return say(f"{len(names) - len(opened)} of {len(names)} files of clamav-testfiles denied")


def run_races(report, filesystems, seconds):
    folders = [filesystem.at + "/races" for filesystem in filesystems if filesystem.name in RACES_ON]
    for folder in folders:
        os.mkdir(folder)
        report.faults += races.rewrites(folder)
    if not folders:
        return
    say(f"200 rewrites in each of {', '.join(folders)}")
    opens, misses, refusals = races.crowd(folders, seconds)
    say(f"50 writers, 50 readers, {seconds:.0f} s: {opens} opens, {misses} of malware let through, {refusals} of clean files refused")
    if misses or refusals or opens == 0:
        report.faults.append(f"writers and readers: {opens} opens, {misses} misses, {refusals} clean files refused")


def run_tier(tier, tests, report, filesystems, seconds):
    World.LAUNCHER = () if tier == "full" else (sys.executable, tests + "/as_kernel_3_10.py")
    world = CoverageWorld()
    try:
        actual = world.health()["fanotify_tier"]
        if actual != tier:
            raise AssertionError(f"the gate says {actual}, and not {tier}")
        say(f"{tier}: protected")
        before = world.unscanned()  # while the engine was not there yet
        records = run_table(filesystems, tier)
        note_what_was_seen(world, records)
        for filesystem, records_of in records.items():
            for record in records_of:
                report.add(tier, filesystem, record)
        for fault in report.faults:
            say(fault)
        say(f"{tier}: {sum(map(len, records.values()))} cells on {len(records)} file systems")
        run_elsewhere(report, tier)
        if tier == TIERS[0]:
            run_testfiles(report)
            run_races(report, filesystems, seconds)
        if world.unscanned() != before:
            reasons = world.events("reason, count, message, path", "open.allowed_unscanned")
            report.faults.append(f"{tier}: {reasons} {json.dumps(world.health()['statistics'])}")
        ended = {name: process.poll() for name, process in world.processes.items() if process.poll() is not None}
        if ended:
            report.faults.append(f"{tier}: ended by themselves: {ended}")
    except BaseException:
        for name, process in world.processes.items():
            print(f"--- {name} ({process.poll()})\n{world.log(name)[-3000:]}", flush=True)
        raise
    finally:
        world.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="make docs/coverage.md")
    parser.add_argument("--crowd-seconds", type=float, default=4, help="how long writers and readers go on")
    parser.add_argument("--only", metavar="NAME,…", help="only these file systems, and nothing is compared or written")
    options = parser.parse_args()
    document = os.open("docs/coverage.md", os.O_RDWR | (os.O_CREAT if options.write else 0), 0o644)
    with open("docs/threat-model.md", encoding="utf-8") as file:
        threat_model = file.read()
    report = Report()
    tiers = TIERS if platform.machine() == "x86_64" else TIERS[:1]  # as_kernel_3_10.py knows only that one
    root, filesystems, tests = make_root(report, options.only)
    root.enter()
    filesystems = mount_all(filesystems, report)
    say("mounted: " + ", ".join(filesystem.name for filesystem in filesystems))
    for name, reason in report.unmounted.items():
        say(f"not mounted: {name}: {reason}")
    for tier in tiers:
        run_tier(tier, tests, report, filesystems, options.crowd_seconds)
    report.compare_with_holes()
    report.compare_with_threat_model(threat_model)
    with open(document, "r+", encoding="utf-8") as file:
        if options.write:
            file.truncate()
            file.write(report.text(HEAD, platform.release().split("-")[0]))
        else:
            report.compare_with_document(file.read())
    for fault in report.faults:
        print("FAIL", fault)
    say(f"{len(report.cells) + len(report.elsewhere)} cells, {len(report.faults)} faults")
    return 1 if report.faults else 0


STARTED = time.monotonic()
if __name__ == "__main__":
    sys.exit(main())
